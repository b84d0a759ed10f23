"""The ledger on the calls at hand, turn by turn beside what its makers hear in them.

Six acted bank calls, by their transcripts, and the sample calls, by their scripts: so this is of
what was said, not of what a recogniser would make of it. Their list is `calls.toml`.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from warmline.errors import DataError
from warmline.files import folder
from warmline.language import score_turns

from .context import Context
from .report import Section, Table

_HEARD = Path(__file__).with_name("calls.toml")
_ROLES = {"agent": "agent", "caller": "customer", "customer": "customer"}

Told = list[dict[str, str]]


@dataclass(frozen=True)
class CallRead:
    """A call: the kinds of cues that the ledger holds of each customer's turn, and the truth.

    `heard` are the turns in which its makers hear a feeling, `planted` the kinds of feelings that
    the script has in a turn.
    """

    name: str
    found: Mapping[int, frozenset[str]]
    heard: frozenset[int]
    planted: Sequence[tuple[int, str]] = ()

    @property
    def rows(self) -> list[tuple[int, str]]:
        """Return the rows of the ledger: the turn, and the kind of feeling."""
        return [(index, kind) for index, kinds in self.found.items() for kind in sorted(kinds)]


def validate_calls(context: Context) -> Section:
    """Rows that are right, rows that are wrong, and turns that are missed, on every call."""
    context.say("calls at hand: the ledger beside what its makers hear")
    heard = tomllib.loads(_HEARD.read_text(encoding="utf-8"))
    bank = [_read(name, told, heard["bank"][name]) for name, told, _ in _bank(context.data)]
    samples = [
        _read(name, told, heard["samples"][name], planted) for name, told, planted in _samples()
    ]
    every = [*samples, *bank]
    hits = sum(_planted_found(call) for call in samples)
    return Section(
        "The ledger on the calls at hand",
        (
            f"{len(bank)} acted bank calls (Harper Valley, by transcript) and {len(samples)} "
            "sample calls (by script; simulated), judged by the makers of the ledger: the bank "
            "calls before its rows were seen, the samples after. A row is right when they hear a "
            "feeling in the turn, put into words or hinted at; whether its kind is right is said "
            "of the planted feelings only. There is one judgement of each turn, and it is not "
            "independent: this shows what the ledger does on real calls, and validates nothing.",
            Table(
                (
                    *("call", "customer's turns", "heard by its makers", "rows", "turns right"),
                    *("turns wrong", "turns missed", "planted, found by kind"),
                ),
                (*map(_line, every), _sum("bank calls", bank), _sum("sample calls", samples)),
            ),
            f"Of {sum(len(c.planted) for c in samples)} planted feelings {hits} have a row of "
            "their kind.",
        ),
    )


def _read(
    name: str, told: Told, heard: Sequence[int], planted: Sequence[tuple[int, str]] = ()
) -> CallRead:
    scores = score_turns(told, language="en")
    found = {
        index: frozenset(cue.kind for cue in score.cues)
        for index, (turn, score) in enumerate(zip(told, scores, strict=True))
        if turn["speaker"] == "customer"
    }
    return CallRead(name, found, frozenset(heard), planted)


def _bank(data: Path) -> Iterator[tuple[str, Told, list[tuple[int, str]]]]:
    files = sorted((data / "calls" / "harper").glob("*.json"))
    if not files:
        raise DataError(f"{data / 'calls' / 'harper'}: the bank calls are not there")
    for file in files:
        said = json.loads(file.read_text(encoding="utf-8"))
        yield file.stem, _turns([(_ROLES[s["speaker"]], s["text"]) for s in said]), []


def _samples() -> Iterator[tuple[str, Told, list[tuple[int, str]]]]:
    for file in sorted((folder("audio") / "samples" / "truth").glob("*.json")):
        truth = json.loads(file.read_text(encoding="utf-8"))
        told = [
            {"speaker": t["role"], "text": t["text"]}
            for t in truth["turns"]
            if t["role"] in _ROLES and not t["backchannel"]
        ]
        planted = [
            (index, cue["kind"])
            for cue in truth["cues"]
            for index, turn in enumerate(told)
            if turn["speaker"] == "customer" and cue["text"] in turn["text"]
        ]
        yield file.stem, told, planted


def _turns(said: Sequence[tuple[str, str]]) -> Told:
    """Return utterances as turns: what one party says without the other is one."""
    told: Told = []
    for speaker, text in said:
        if told and told[-1]["speaker"] == speaker:
            told[-1] = {"speaker": speaker, "text": f"{told[-1]['text']} {text}"}
        else:
            told.append({"speaker": speaker, "text": text})
    return told


def _planted_found(call: CallRead) -> int:
    return sum(kind in call.found.get(index, ()) for index, kind in call.planted)


def _counts(call: CallRead) -> tuple[int, ...]:
    shown = {index for index, kinds in call.found.items() if kinds}
    return (
        *(len(call.found), len(call.heard), len(call.rows), len(shown & call.heard)),
        *(len(shown - call.heard), len(call.heard - shown)),
        *(_planted_found(call), len(call.planted)),
    )


def _line(call: CallRead) -> tuple[str, ...]:
    return _told(call.name, _counts(call))


def _sum(name: str, calls: Sequence[CallRead]) -> tuple[str, ...]:
    return _told(f"**{name}**", tuple(map(sum, zip(*map(_counts, calls), strict=True))))


def _told(name: str, counts: Sequence[int]) -> tuple[str, ...]:
    *plain, hits, planted = counts
    return (name, *map(str, plain), f"{hits} of {planted}" if planted else "")
