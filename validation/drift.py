"""Drift: the same measures from what people wrote down, and from what was recognised."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warmline import empathy, language
from warmline.analysis import Empathy
from warmline.errors import DataError
from warmline.floor import measure
from warmline.language import TurnLanguage, score_turns
from warmline.phrases import spoken_text
from warmline.statistics import bootstrap
from warmline.turns import converse
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    RoleName,
    SpeakerSource,
    Speech,
    SpeechSegment,
    Transcript,
    Word,
)

from .context import Context
from .listening import Heard, Listener, as_two_channels, real_calls
from .report import Section, Table
from .scores import said

_PARTY = {"caller": "A", "agent": "B"}
_SPEAKER = {"A": "customer", "B": "agent"}
_LAYOUT = ChannelLayout("stereo", 2, 0.0, "two channels", (0, 1))
_EDGE_S = 0.3
_SCORES = ("empathy", "negative_emotion")
_SHOWN = 0.3
_NO_CORRELATION = (
    "Intervals are by draws of whole calls. There is no correlation: it would rest on the few "
    "turns that show anything, and one of them could halve it."
)
_COUNTS = (
    *("opportunities", "affective", "attentive", "cognitive", "apologies", "questions_open"),
    *("questions_closed", "reflections", "commitments", "politeness", "formulas", "thanks"),
)


@dataclass(frozen=True)
class _Said:
    """One turn of the human transcript, and the words recognised in its time."""

    party: str
    wrote: str
    recognised: str


@dataclass(frozen=True, eq=False)
class _Call:
    """One call by both."""

    name: str
    turns: tuple[_Said, ...]
    wrote: Empathy
    recognised: Empathy


def validate_drift(context: Context) -> Section:
    """Language measures of the bank calls from the human transcript and from recognised words."""
    listener = Listener(context)
    paths = [path for path in real_calls(context.data) if path.with_suffix(".json").is_file()]
    calls = [_call(path, listener, context) for path in paths]
    turns = [turn for call in calls for turn in call.turns]
    of_calls = np.array([_word_errors(call.turns) for call in calls])
    edits, words = of_calls.sum(axis=0).tolist()
    return Section(
        "Drift: human transcript against recognised words",
        (
            f"{len(calls)} acted bank calls, {len(turns)} turns. The words are recognised on two "
            f"channels with `{context.settings.words.whisper_model}`; {edits} of {words} written "
            f"words were recognised wrongly ({edits / words:.1%}{_share_drawn(of_calls, context)}; "
            "spoken forms compared, no other normalisation). Turn by turn: the same turn scored "
            "from either text, earlier turns of the same kind of text before it.",
            _score_table(calls, context),
            _NO_CORRELATION,
            "Call by call: counts of what was recognised by the stages language and empathy.",
            _count_table(calls),
            "The acted callers show few feelings, so little is said here about cues.",
        ),
    )


def _call(path: Path, listener: Listener, context: Context) -> _Call:
    heard = listener.heard(as_two_channels(path, context.work / "real-stereo"))
    speech, transcript = written(path.with_suffix(".json"))
    roles = CallMetadata(path.stem, channel_roles={"0": "customer", "1": "agent"})
    settings = context.settings
    talk = converse(speech, transcript, _LAYOUT, roles, settings.turns)
    floor = measure(speech, transcript, talk, heard.duration_s, settings.floor)
    moments = language.read(talk, transcript, settings.language)
    wrote = empathy.measure(talk, moments, floor, settings.empathy)
    said = [
        _Said(t.party, t.text, _recognised(heard, t.party, t.start_s, t.end_s))
        for t in talk.turns
        if t.text and t.role in (RoleName.AGENT, RoleName.CUSTOMER)
    ]
    return _Call(path.stem, tuple(said), wrote, heard.empathy)


def written(path: Path) -> tuple[Speech, Transcript]:
    """A human transcript as the stages take it; words share the time of their segment evenly.

    Raises `DataError` for a file that is not a list of start, end, speaker and text.
    """
    segments: list[SpeechSegment] = []
    words: list[Word] = []
    try:
        for row in json.loads(path.read_text(encoding="utf-8")):
            party, text = _PARTY[row["speaker"]], row["text"].split()
            start_s, end_s = float(row["start"]), float(row["end"])
            segments.append(SpeechSegment(start_s, end_s, party))
            step_s = (end_s - start_s) / max(1, len(text))
            words += [
                Word(start_s + i * step_s, start_s + (i + 1) * step_s, party, word, 1.0)
                for i, word in enumerate(text)
            ]
    except (ValueError, KeyError, TypeError) as e:
        raise DataError(f"{path}: not a transcript of start, end, speaker and text ({e})") from e
    segments.sort(key=lambda s: (s.start_s, s.party))
    words.sort(key=lambda w: (w.start_s, w.party))
    speech = Speech(
        *(SpeakerSource.CHANNEL, ("A", "B"), tuple(segments), tuple(segments), ()),
        *(1.0, "written down by people"),
    )
    return speech, Transcript("en", 1.0, tuple(words), (), {})


def _recognised(heard: Heard, party: str, start_s: float, end_s: float) -> str:
    return " ".join(
        w.text.strip()
        for w in heard.transcript.words
        if w.party == party and start_s - _EDGE_S <= (w.start_s + w.end_s) / 2 < end_s + _EDGE_S
    )


def _word_errors(turns: Sequence[_Said]) -> tuple[int, int]:
    """Substitutions, deletions and insertions, and the number of words written."""
    import jiwer

    wrote = [" ".join(spoken_text(turn.wrote).words) for turn in turns]
    recognised = [" ".join(spoken_text(turn.recognised).words) for turn in turns]
    kept = [(a, b) for a, b in zip(wrote, recognised, strict=True) if a]
    found = jiwer.process_words([a for a, _ in kept], [b for _, b in kept])
    edits = found.substitutions + found.deletions + found.insertions
    return edits, found.hits + found.substitutions + found.deletions


def _share_drawn(of_calls: NDArray[np.int64], context: Context) -> str:
    """Return the interval of the share of words that are wrong, by draws of calls."""
    found = bootstrap(
        lambda rows: float(of_calls[rows, 0].sum() / of_calls[rows, 1].sum()),
        range(len(of_calls)),
        seed=context.seed,
        rounds=context.rounds,
    )
    if found is None or found.low is None or found.high is None:
        return ""
    return f" [{found.low:.1%}, {found.high:.1%}]"


def _score_table(calls: Sequence[_Call], context: Context) -> Table:
    rows = []
    for name in _SCORES:
        pairs = [
            (call.name, a, b)
            for call in calls
            for x, y in zip(_scored(call, "wrote"), _scored(call, "recognised"), strict=True)
            if (a := getattr(x, name)) is not None and (b := getattr(y, name)) is not None
        ]
        x, y = np.array([pair[1:] for pair in pairs]).T
        apart = np.abs(x - y)
        mean = bootstrap(
            lambda chosen, apart=apart: float(apart[chosen].mean()),
            [call for call, _, _ in pairs],
            seed=context.seed,
            rounds=context.rounds,
        )
        shown = int((np.maximum(x, y) >= _SHOWN).sum())
        rows.append(
            (
                *(f"`{name}`", str(len(pairs)), str(shown), f"{x.mean():.3f}", f"{y.mean():.3f}"),
                *(said(mean), f"{apart.max():.3f}", f"{np.mean((x >= 0.5) == (y >= 0.5)):.1%}"),
            )
        )
    headings = (
        *("score of a turn", "turns", f"{_SHOWN:g} or more in either"),
        *("mean, written", "mean, recognised", "mean absolute difference"),
        *("largest", "same side of 0.5"),
    )
    return Table(headings, tuple(rows))


def _scored(call: _Call, text: str) -> list[TurnLanguage]:
    return score_turns(
        {"speaker": _SPEAKER[turn.party], "text": getattr(turn, text)} for turn in call.turns
    )


def _count_table(calls: Sequence[_Call]) -> Table:
    rows = []
    for name in _COUNTS:
        pairs = [(_value(c.wrote, name), _value(c.recognised, name)) for c in calls]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        if known:
            x, y = np.array(known).T
            rows.append(
                (
                    *(f"`{name}`", str(len(known)), f"{x.sum():.0f}", f"{y.sum():.0f}"),
                    f"{np.abs(x - y).mean():.2f}",
                )
            )
    headings = ("measure", "calls", "written, sum", "recognised, sum", "mean absolute difference")
    return Table(headings, tuple(rows))


def _value(found: Empathy, name: str) -> float | None:
    return next((m.value for m in found.metrics if m.name == name and m.value is not None), None)
