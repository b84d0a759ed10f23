"""Fixtures that several test files share."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from support.balance import balanced
from support.commands import commands
from support.factories import without_analysis
from support.firms import Firm, firm, firm_in
from support.once import Once
from support.prefect_nights import FORKS, make_home, server
from support.warehouses import put, rich
from support.week import publish_week
from warmline import files
from warmline.models import ModelStore
from warmline.models.catalogue import (
    EMBEDDING,
    MANY_LANGUAGES,
    SEGMENTATION,
    SENTENCES,
    whisper_name,
)
from warmline.models.engines import Engines
from warmline.settings import PlaceSettings

# A process of the tests imports 600,000 objects that stay. To look through them for garbage while
# they come takes a sixth of the time until the first test.
gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage among what the tests make, and no more among what they have imported.

    Nor as often as usual: a process of the tests has gigabytes, and ends soon.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


if TYPE_CHECKING:  # what serves pages is imported by the tests of pages alone
    from support.browsing import Visitor
    from support.pages import Programme, Served

# A busy machine is no fault, and a change is judged by the same examples wherever its tests run.
# `--hypothesis-profile thorough` looks for others: a thousand where a test does not say how many.
settings.register_profile("usual", deadline=None, max_examples=50, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=1000, derandomize=False)
settings.load_profile("usual")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in an order that keeps all processes of a run busy."""
    items[:] = balanced(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.fixture(scope="session")
def once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Once:
    """What is made once for all processes of this run."""
    base = tmp_path_factory.getbasetemp()
    is_one_of_several = hasattr(request.config, "workerinput")
    return Once((base.parent if is_one_of_several else base) / "once")


@pytest.fixture
def prefect_home(once: Once, tmp_path: Path) -> Path:
    """A home of Prefect's with a database, in which nothing has run yet."""
    return once.copied("prefect-home", make_home, tmp_path / "prefect")


@pytest.fixture(scope="session")
def prefect_server(
    once: Once, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of nights that have a server in common: none of them starts one.

    Nor does each of them import Prefect anew: they fork from one process that has.
    """
    home = once.copied("prefect-home", make_home, tmp_path_factory.mktemp("prefect"))
    with (
        server(home) as environment,
        commands(files.folder("flows"), surroundings=environment) as place,
    ):
        yield environment | {FORKS: str(place / "warmline")}


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
def studied(once: Once) -> Firm:
    """A published warehouse of simulated rows with outcomes, to be read only."""
    return firm_in(once.made("firm", firm))


@pytest.fixture(scope="session")
def sound(once: Once) -> Path:
    """A folder with a landing folder and a warehouse that is right, to be copied."""
    return once.made("sound", lambda to: put(to, rich("a"), rich("b"), without_analysis("broken")))


@pytest.fixture(scope="session")
def week(once: Once) -> Path:
    """A published warehouse of the small week in `support.week`, to be read only."""
    return once.made("week", publish_week) / "week.duckdb"


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the calls that pages show, to be read or copied; recordings stay in it."""
    from support.pages import publish_calls

    folder = tmp_path_factory.mktemp("pages")
    publish_calls(folder)
    return folder


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy: the recordings stay where the calls say that they are."""
    place = tmp_path / "copy"
    shutil.copytree(published, place)
    return place


@pytest.fixture
def served(folder: Path) -> Iterator["Served"]:
    """The pages of a copy, to be changed."""
    from support.pages import serving

    with serving(folder) as it:
        yield it


@pytest.fixture
def browser(served: "Served") -> Any:
    """The browser of the only one there is, in which everything may be done."""
    return served.alone()


@pytest.fixture(scope="session")
def reading(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same for tests that only read: one server for all of them."""
    from support.pages import serving

    place = tmp_path_factory.mktemp("reading") / "copy"
    shutil.copytree(published, place)
    with serving(place) as it:
        yield it.alone()


@pytest.fixture(scope="session")
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Visitor"]:
    """A browser, and a server of its own: one for all tests of a process."""
    from support.browsing import browsing

    with browsing(tmp_path_factory.mktemp("browsed")) as visitor:
        yield visitor


@pytest.fixture
def visitor(browsed: "Visitor") -> Iterator["Visitor"]:
    """The same; what a test opens is closed after it: a page that plays on draws all the time."""
    yield browsed
    browsed.forget()


@pytest.fixture(scope="session")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Programme"]:
    """One server, and the people of a centre, for all tests; each uses calls of its own."""
    from support.pages import a_programme

    with a_programme(tmp_path_factory.mktemp("programme")) as it:
        yield it
