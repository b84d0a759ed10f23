"""How much the floor measures depend on their thresholds."""

from collections.abc import Iterator
from dataclasses import dataclass

from warmline.floor.measure import measure
from warmline.settings import FloorSettings
from warmline.values import Conversation, Speech, Transcript

_FACTORS = (0.5, 1.5)


@dataclass(frozen=True)
class Sensitivity:
    """One measure with one threshold multiplied by `factor`; `usual` is its value without."""

    setting: str
    factor: float
    name: str
    party: str | None
    value: float | None
    usual: float | None


def sensitivity(
    speech: Speech,
    transcript: Transcript,
    conversation: Conversation,
    duration_s: float,
    settings: FloorSettings,
) -> tuple[Sensitivity, ...]:
    """Every measure that changes when one threshold is halved or raised by half."""

    def values(used: FloorSettings) -> dict[tuple[str, str | None], float | None]:
        floor = measure(speech, transcript, conversation, duration_s, used)
        return {(m.name, m.party): m.value for m in floor.metrics}

    usual = values(settings)
    return tuple(
        Sensitivity(setting, factor, name, party, value, usual[name, party])
        for setting, factor, used in _varied(settings)
        for (name, party), value in values(used).items()
        if value != usual[name, party]
    )


def _varied(settings: FloorSettings) -> Iterator[tuple[str, float, FloorSettings]]:
    for setting, value in settings.model_dump().items():
        for factor in _FACTORS:
            yield setting, factor, settings.model_copy(update={setting: value * factor})
