"""Floor measures of real calls from their mono mix, against the two channels they came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from warmline.analysis import Metric
from warmline.values import RoleName

from .context import Context
from .listening import Heard, Listener, as_mono_mix, as_two_channels, real_calls
from .parties import matched, speech_by_party
from .report import Picture, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PARTY = (
    *("talk_s", "talk_share", "turns", "words", "longest_monologue_s", "interruptions"),
    *("backchannels", "response_latency_median_s", "response_latency_p90_s"),
)
_CALL = (
    *("non_talk_s", "dead_air_s", "dead_air_count", "longest_dead_air_s", "fto_median_s"),
    *("overlap_s", "opening_story_s"),
)


@dataclass(frozen=True)
class Both:
    """One measure of one call, or of one party in it, heard both ways."""

    call: str
    name: str
    stereo: float
    mono: float


@dataclass(frozen=True, eq=False)
class _Pair:
    """One real call heard on its two channels and in its mono mix."""

    call: str
    stereo: Heard
    mono: Heard
    party_of: dict[str, str]


def validate_mono(context: Context) -> Section:
    """Error of every floor measure on the real calls that have a channel for each party."""
    pairs = [_pair(path, Listener(context), context) for path in real_calls(context.data)]
    both = [row for pair in pairs for row in _compared(pair)]
    minutes = sum(p.stereo.duration_s for p in pairs) / 60
    return Section(
        "Floor: one channel against two, on real calls",
        (
            f"{len(pairs)} recorded calls ({minutes:.0f} minutes) with a channel for each party: "
            "six acted bank calls (Harper Valley) and one call to a garage. The two channels are "
            "the truth here, as `warmline analyze` hears them; the mono mix is what a recorder "
            "with one channel would have kept, and its parties were told apart by voice. Parties "
            "are matched by when they speak. The error of a measure is mono minus two channels; "
            "seven calls say roughly how large it is, and no more.",
            _table(both),
            _doubts(pairs),
            Picture(
                "mono-talk-share",
                "Talk share of each party: on two channels, and in the mono mix.",
                lambda axes: _draw(axes, [b for b in both if b.name == "talk_share"]),
                (4.2, 3.6),
            ),
        ),
    )


def _pair(path: Path, listener: Listener, context: Context) -> _Pair:
    stereo = listener.heard(as_two_channels(path, context.work / "real-stereo"))
    mono = listener.heard(as_mono_mix(path, context.work / "real-mono", context))
    party_of = matched(speech_by_party(mono.speech), speech_by_party(stereo.speech))
    return _Pair(path.stem, stereo, mono, party_of)


def _compared(pair: _Pair) -> list[Both]:
    stereo = {(m.name, m.party): m for m in pair.stereo.floor.metrics}
    found = []
    for metric in pair.mono.floor.metrics:
        party = None if metric.party is None else pair.party_of.get(metric.party)
        if metric.party is not None and party is None:
            continue
        other: Metric | None = stereo.get((metric.name, party))
        if other is not None and other.value is not None and metric.value is not None:
            found.append(Both(pair.call, metric.name, other.value, metric.value))
    return found


def _table(both: Sequence[Both]) -> Table:
    rows = []
    for name in (*_PARTY, *_CALL):
        own = [b for b in both if b.name == name]
        if not own:
            continue
        errors = np.array([b.mono - b.stereo for b in own])
        worst = errors[np.abs(errors).argmax()]
        rows.append(
            (
                *(f"`{name}`", "party" if name in _PARTY else "call", str(len(own))),
                f"{np.mean([b.stereo for b in own]):.2f}",
                f"{errors.mean():+.2f}",
                *(f"{np.median(np.abs(errors)):.2f}", f"{np.abs(errors).mean():.2f}"),
                f"{worst:+.2f}",
            )
        )
    headings = (
        *("measure", "of", "n", "mean, two channels", "mean error", "median absolute error"),
        *("mean absolute error", "largest error"),
    )
    return Table(headings, tuple(rows))


def _doubts(pairs: Sequence[_Pair]) -> str:
    suppressed = [p.call for p in pairs if p.mono.is_suppressed]
    known = [p for p in pairs if p.mono.talk.party_of(RoleName.AGENT) is not None]
    right = sum(
        p.party_of.get(p.mono.talk.party_of(RoleName.AGENT) or "")
        == p.stereo.talk.party_of(RoleName.AGENT)
        for p in known
    )
    extra = sum(len(p.mono.speech.parties) != 2 for p in pairs)
    return (
        "In the mono mixes, party-level measures are not given in "
        f"{len(suppressed)} of {len(pairs)} calls (`speech.min_confidence`); the errors "
        "above count them all the same. Another "
        f"number of voices than two was found in {extra}. Nothing told the mono calls who is the "
        f"agent: it was inferred from the words in {len(known)}, rightly in {right}, and left "
        "unknown in the others."
    )


def _draw(axes: "Axes", both: Sequence[Both]) -> None:
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([b.stereo for b in both], [b.mono for b in both], "o", color="#1b6ca8", alpha=0.7)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="two channels", ylabel="mono mix")
