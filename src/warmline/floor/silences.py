"""Silence of all parties: short gaps, dead air, and holds kept apart."""

from collections.abc import Sequence

from warmline.analysis import Silence
from warmline.settings import FloorSettings
from warmline.spans import gaps, intersect, subtract, union
from warmline.values import Span

GAP = "gap"
DEAD_AIR = "dead_air"
HOLD = "hold"


def silences_of(
    talk: Sequence[Span], tones: Sequence[Span], duration_s: float, settings: FloorSettings
) -> tuple[Silence, ...]:
    """All stretches in which no party speaks, in order; together they are the non-talk time.

    Music or tones for at least `settings.hold_s` (pauses of ringing bridged) are a `hold`. What is
    left is `dead_air` from `settings.dead_air_s` on, else a `gap`. Before the first and after the
    last speech nobody is kept waiting that can be heard: a `gap`, however long.
    """
    spoken = union(talk)
    if not spoken:
        return (Silence(0.0, duration_s, GAP),) if duration_s > 0 else ()
    first_s, last_s = spoken[0].start_s, spoken[-1].end_s
    inside = gaps(spoken, first_s, last_s)
    sounding = union(tones, bridge_s=settings.long_dead_air_s)
    holds = [h for h in intersect(inside, sounding) if h.duration_s >= settings.hold_s]
    found = [Silence(h.start_s, h.end_s, HOLD) for h in holds]
    for span in subtract(inside, holds):
        kind = DEAD_AIR if span.duration_s >= settings.dead_air_s else GAP
        found.append(Silence(span.start_s, span.end_s, kind))
    edges = (*gaps(spoken, 0.0, first_s), *gaps(spoken, last_s, duration_s))
    found += [Silence(e.start_s, e.end_s, GAP) for e in edges]
    return tuple(sorted(found, key=lambda s: s.start_s))
