"""What is to be done in a folder of calls, by cache keys that need no models."""

from dataclasses import replace
from pathlib import Path

from support import factories
from warmline import landing
from warmline.errors import Status
from warmline.models.catalogue import EMBEDDING, MANY_LANGUAGES, SEGMENTATION, SENTENCES
from warmline.pipeline.plan import Plan, Redo, make_plan
from warmline.pipeline.stages import CacheKeys
from warmline.recordings import identify
from warmline.recordings.metadata import read_metadata
from warmline.settings import Settings, with_overrides

#: The names of models stand for models.
MODELS = {
    SEGMENTATION: "s",
    EMBEDDING: "e",
    SENTENCES: "m",
    MANY_LANGUAGES: "n",
    "whisper-base": "b",
}


def cache_keys(**settings: object) -> CacheKeys:
    given = {"recordings.settle_s": 0}
    given |= {name.replace("__", "."): value for name, value in settings.items()}
    return CacheKeys(with_overrides(Settings(), given), MODELS, "rules")


def plan(calls: Path, landed: Path, redo: Redo | None = None, table=None, **settings) -> Plan:
    return make_plan([calls], landed, cache_keys(**settings), table, redo)


def land(path: Path, landed: Path, status: Status = Status.ANALYZED, **settings) -> None:
    """An analysis as one of today's making would land, without listening."""
    keys_of = cache_keys(**settings)
    recording = identify(path)
    metadata = read_metadata(path, keys_of.settings.recordings, None)
    keys = keys_of.keys(recording.audio_sha256, metadata)
    if status is not Status.ANALYZED:
        keys = {"sound": keys["sound"]}
    analysis = factories.call(metadata.call_id, stages=keys)
    landing.write(replace(analysis, recording=recording, metadata=metadata, status=status), landed)


def pending(made: Plan) -> dict[str, str]:
    return {Path(call.path).name: call.why for call in made.pending}
