"""Fixtures that several rooms share."""

from pathlib import Path

import pytest

from support.factories import not_analyzed
from support.firms import Firm, firm
from support.warehouses import put, rich
from support.week import publish_week
from warmline.engines import Engines
from warmline.models.catalogue import (
    EMBEDDING,
    MANY_LANGUAGES,
    SEGMENTATION,
    SENTENCES,
    whisper_name,
)
from warmline.models.store import ModelStore
from warmline.settings import PlaceSettings


@pytest.fixture(scope="session")
def engines() -> Engines:
    """Real networks from the user's own model store, fetched into it once.

    Whisper is `tiny.en` here: small, and good enough to be recognised. Tests that use this fixture
    are marked `models`.
    """
    store = ModelStore.from_settings(PlaceSettings())
    store.pull([whisper_name("tiny.en"), SEGMENTATION, EMBEDDING, SENTENCES, MANY_LANGUAGES])
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


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a landing folder and a warehouse that is right, to be copied."""
    folder = tmp_path_factory.mktemp("sound")
    put(folder, rich("a"), rich("b"), not_analyzed("broken"))
    return folder


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published warehouse of the small week in `asking`, to be read only."""
    return publish_week(tmp_path_factory.mktemp("week"))
