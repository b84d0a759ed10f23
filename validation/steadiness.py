"""Steadiness under heat on generated calls: how far planted changes of voice are recovered."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from warmline.analysis import Prosody
from warmline.prosody import measure
from warmline.simulate import (
    Call,
    Line,
    LineSound,
    Scene,
    SimulatedCall,
    SimulatedSpeaker,
    render,
    true_speech,
    true_transcript,
)
from warmline.statistics import Estimate, bootstrap
from warmline.turns import converse
from warmline.values import ChannelLayout, RoleName

from .context import Context
from .listening import Listener, play
from .report import Headline, Picture, Section, Table
from .scenes import sentences
from .scores import said

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CALLS = 8
_RAMPS = 6
_PAIRS = 9
_HEATED = (3, 5, 6)
_HEAT_DB = 7.0
_LAYOUT = ChannelLayout("stereo", 2, 0.0, "known from the script", (0, 1))
_MEASURES = {
    "steadiness_level_db": "level, dB",
    "steadiness_rate_words_per_s": "rate, words/s",
    "steadiness_pitch_st": "pitch, semitones",
}
_LEVEL = "level, dB"
_RAMPED = {_LEVEL: "level_rel_db", "rate, share of the median": "rate_words_per_s"}


@dataclass(frozen=True, eq=False)
class _Planted:
    """A call and how the agent's voice changes in it when it answers a heated turn."""

    call: SimulatedCall
    change: dict[str, float]


@dataclass(frozen=True)
class _Pair:
    """One planted change and what was measured of it."""

    call: str
    planted: float
    measured: float


def validate_steadiness(context: Context) -> Section:
    """Planted changes of level, rate and pitch under heat, and ramps over the call."""
    context.say("steadiness under heat: playing generated calls")
    planted = [_heated_call(n, Random(f"{context.seed} heat {n}")) for n in range(_CALLS)]
    listener = Listener(context)
    ways = {
        "truth": [(p, _told(p.call, context)) for p in planted],
        "heard": [
            (p, listener.heard(play(p.call, context.work / "heated")).prosody) for p in planted
        ],
    }
    pairs = {
        (way, name): _pairs(measured, name) for way, measured in ways.items() for name in _MEASURES
    }
    recovered = {
        what: [
            pair
            for n in range(_RAMPS)
            for pair in _ramp(_ramp_call(n, what, context.seed), _RAMPED[what], context)
        ]
        for what in _RAMPED
    }
    return Section(
        "Steadiness under heat",
        (
            f"{_CALLS} generated calls on two channels; in each, the customer gets "
            f"{_HEAT_DB:g} dB louder in {len(_HEATED)} of {_PAIRS} turns, and the agent's answers "
            "to these turns change in level (-4 to 6 dB), rate (x 0.85 to 1.3) and, where the "
            "voice allows, pitch (-2 to 3 semitones), drawn by the seed. *Truth* takes speech and "
            "words from the script and measures the sound; *heard* is the whole of `warmline "
            "analyze`. A slope of 1 and a low error mean that what was planted was recovered; "
            "voices are synthetic.",
            _table(pairs),
            Picture(
                "steadiness",
                "Planted change of the agent's level under heat, and the change measured "
                "(`steadiness_level_db`); the line is equality.",
                lambda axes: _draw(axes, pairs),
                (4.4, 3.6),
            ),
            f"Ramps: {_RAMPS} calls in which the customer's level falls from 5 dB to -5 dB, and "
            f"{_RAMPS} in which the tempo falls from x 1.25 to x 0.85; every turn's value re the "
            "customer's median against the planted one, speech and words from the script.",
            _ramp_table(recovered, context),
        ),
        tuple(_headlines(pairs, context)),
    )


def _heated_call(number: int, rng: Random) -> _Planted:
    level_db, rate = rng.uniform(-4, 6), rng.uniform(0.85, 1.3)
    voice = rng.choice(("slt", "rms"))
    pitch_st = rng.uniform(-2, 3) if voice == "slt" else 0.0
    lines = []
    customer, agent = sentences("customer", rng), sentences("agent", rng)
    for pair in range(_PAIRS):
        hot = pair in _HEATED
        lines.append(
            Line(speaker="customer", text=customer[pair], gain_db=_HEAT_DB if hot else 0.0)
        )
        more = {"gain_db": level_db, "rate": rate, "pitch_st": pitch_st} if hot else {}
        # The same sentences in heat as outside, so that their own tempo does not mix in.
        text = agent[_HEATED.index(pair)] if hot else agent[pair % len(_HEATED)]
        lines.append(Line.model_validate({"speaker": "agent", "text": text, **more}))
    call = _call(f"heated-{number:02}", lines, voice)
    usual = _usual_rate(call)
    change = {
        "steadiness_level_db": level_db,
        "steadiness_rate_words_per_s": usual * (rate - 1),
    }
    if voice == "slt":
        change["steadiness_pitch_st"] = pitch_st
    return _Planted(call, change)


def _ramp_call(number: int, what: str, seed: int) -> SimulatedCall:
    rng = Random(f"{seed} ramp {number} {what}")
    text, agent = sentences("customer", rng)[0], sentences("agent", rng)
    lines = []
    for pair in range(_PAIRS):
        down = 1 - 2 * pair / (_PAIRS - 1)
        falls = {"gain_db": 5 * down} if what == _LEVEL else {"rate": 1.05 + 0.2 * down}
        lines.append(Line.model_validate({"speaker": "customer", "text": text, **falls}))
        lines.append(Line(speaker="agent", text=agent[pair]))
    call_id = f"ramp-{what.split(',')[0]}-{number:02}"
    return _call(call_id, lines, rng.choice(("slt", "rms")))


def _call(call_id: str, lines: Sequence[Line], agent_voice: str) -> SimulatedCall:
    return render(
        Scene(
            call=Call(call_id=call_id, title="planted changes of voice"),
            sound=LineSound(snr_db=40, level_db=-28, format="wav"),
            speakers={
                "customer": SimulatedSpeaker(role="customer", channel=0, voice="awb"),
                "agent": SimulatedSpeaker(role="agent", channel=1, voice=agent_voice),
            },
            lines=tuple(lines),
        )
    )


def _usual_rate(call: SimulatedCall) -> float:
    """The agent's words per second where nothing was planted."""
    calm = [t for t in call.truth.turns if t.role == "agent" and t.rate == 1.0]
    return float(np.median([len(t.text.split()) / t.duration_s for t in calm]))


def _told(call: SimulatedCall, context: Context) -> Prosody:
    speech, transcript = true_speech(call.truth), true_transcript(call.truth)
    settings = context.settings
    talk = converse(speech, transcript, _LAYOUT, call.metadata, settings.turns)
    return measure(call.sound(), _LAYOUT, speech, transcript, talk, settings.prosody)


def _pairs(measured: Sequence[tuple[_Planted, Prosody]], name: str) -> list[_Pair]:
    found = []
    for planted, prosody in measured:
        values = [m.value for m in prosody.metrics if m.name == name and m.value is not None]
        if name in planted.change and values:
            found.append(_Pair(planted.call.truth.call_id, planted.change[name], values[0]))
    return found


def _ramp(call: SimulatedCall, column: str, context: Context) -> list[_Pair]:
    """Every turn of the customer: what was planted re the middle of the ramp, what was measured."""
    turns = [t for t in call.truth.turns if t.role == RoleName.CUSTOMER.value]
    sounds = [t for t in _told(call, context).turns if t.party == "A"]
    values = [getattr(sound, column) for sound in sounds]
    if len(values) != len(turns) or any(v is None for v in values):
        return []
    if column == "level_rel_db":
        return [_Pair(call.truth.call_id, t.gain_db, v) for t, v in zip(turns, values, strict=True)]
    middle, usual = np.median([t.rate for t in turns]), np.median(values)
    return [
        _Pair(call.truth.call_id, float(t.rate / middle), float(v / usual))
        for t, v in zip(turns, values, strict=True)
    ]


def _slope(pairs: Sequence[_Pair], context: Context) -> Estimate | None:
    """Change measured for each unit planted, with its interval over calls."""
    x = np.array([p.planted for p in pairs])
    y = np.array([p.measured for p in pairs])

    def slope(rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> float:
        spread = x[rows] - x[rows].mean()
        power = float(spread @ spread)
        return float(spread @ y[rows] / power) if power > 1e-9 else float("nan")

    if len(pairs) < 3:
        return None
    return bootstrap(slope, [p.call for p in pairs], seed=context.seed, rounds=context.rounds)


def _closeness(pairs: Sequence[_Pair]) -> tuple[str, str]:
    """Correlation and mean absolute error, as a table shows them."""
    if len(pairs) < 3:
        return "–", "–"
    planted, measured = np.array([[p.planted, p.measured] for p in pairs]).T
    together = np.corrcoef(planted, measured)[0, 1]
    return f"{together:.3f}", f"{np.abs(measured - planted).mean():.2f}"


def _table(pairs: dict[tuple[str, str], list[_Pair]]) -> Table:
    rows = [
        (way, f"`{name}`, {_MEASURES[name].split(', ')[1]}", str(len(found)), *_closeness(found))
        for (way, name), found in pairs.items()
    ]
    headings = ("listening", "measure", "calls", "correlation", "mean absolute error")
    return Table(headings, tuple(rows))


def _ramp_table(recovered: dict[str, list[_Pair]], context: Context) -> Table:
    rows = [
        (name, str(len(found)), said(_slope(found, context)), *_closeness(found))
        for name, found in recovered.items()
    ]
    headings = ("customer's", "turns", "slope", "correlation", "mean absolute error")
    return Table(headings, tuple(rows))


def _headlines(pairs: dict[tuple[str, str], list[_Pair]], context: Context) -> list[Headline]:
    found = []
    for (way, name), values in pairs.items():
        slope = _slope(values, context)
        if way == "heard" and slope is not None:
            found.append(Headline(f"{name}: slope on the planted change", "planted", slope))
    return found


def _draw(axes: "Axes", pairs: dict[tuple[str, str], list[_Pair]]) -> None:
    low, high = -5.0, 7.0
    axes.plot([low, high], [low, high], color="0.7", linewidth=1)
    for way, colour in (("truth", "#d1793b"), ("heard", "#1b6ca8")):
        found = pairs[way, "steadiness_level_db"]
        axes.plot(
            *([p.planted for p in found], [p.measured for p in found]),
            marker="o",
            linestyle="",
            color=colour,
            alpha=0.8,
            label=way,
        )
    axes.set(xlabel="planted change, dB", ylabel="measured change, dB")
    axes.legend(frameon=False)
