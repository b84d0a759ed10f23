"""The floor of calls that tests plan, and what was measured of it."""

from support.conversations import (
    NO_WORDS,
    conversation_of,
    speech_of,
)
from warmline.analysis import Floor, Metric
from warmline.floor import measure
from warmline.settings import FloorSettings
from warmline.values import (
    RoleName,
    SpeakerSource,
    ToneSegment,
    Transcript,
)

SETTINGS = FloorSettings()

ROLES = {"A": RoleName.CUSTOMER, "B": RoleName.AGENT}


def floor_of(
    parties: dict[str, list[tuple[float, float]]],
    transcript: Transcript = NO_WORDS,
    *,
    duration_s: float = 60.0,
    tones: tuple[ToneSegment, ...] = (),
    roles: dict[str, RoleName] | None = None,
    source: SpeakerSource = SpeakerSource.CHANNEL,
) -> Floor:
    speech = speech_of(parties, source=source, tones=tones)
    conversation = conversation_of(speech, transcript, ROLES if roles is None else roles)
    return measure(speech, transcript, conversation, duration_s, SETTINGS)


def metric(floor: Floor, name: str, party: str | None = None) -> Metric:
    found = [m for m in floor.metrics if m.name == name and m.party == party]
    assert len(found) == 1
    return found[0]


def value(floor: Floor, name: str, party: str | None = None) -> float | None:
    return metric(floor, name, party).value


Event = tuple[float, float, str, str, str, bool | None]


def events(floor: Floor) -> list[Event]:
    return [(o.start_s, o.end_s, o.holder, o.entrant, o.kind, o.successful) for o in floor.overlaps]
