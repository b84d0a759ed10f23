"""Fixtures that several rooms share."""

from pathlib import Path

import pytest

from studying import Firm, firm
from warmline.engines import Engines
from warmline.models.catalogue import EMBEDDING, SEGMENTATION, SENTENCES, whisper_name
from warmline.models.store import ModelStore
from warmline.settings import PlaceSettings


@pytest.fixture(scope="session")
def engines() -> Engines:
    """Real networks from the user's own model store, fetched into it once.

    Whisper is `tiny.en` here: small, and good enough to be recognised. Tests that use this fixture
    are marked `models`.
    """
    store = ModelStore.from_settings(PlaceSettings())
    store.pull([whisper_name("tiny.en"), SEGMENTATION, EMBEDDING, SENTENCES])
    return Engines(store)


@pytest.fixture(scope="session")
def two_speakers() -> Path:
    """A real telephone conversation of 30 s, 16 kHz mono, with `.rttm` and `.stm` beside it."""
    import importlib.util

    spec = importlib.util.find_spec("pyannote.audio")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "sample" / "sample.wav"


@pytest.fixture(scope="session")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Firm:
    """A published warehouse of simulated rows with outcomes, to be read only."""
    return firm(tmp_path_factory.mktemp("firm"))
