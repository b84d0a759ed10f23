"""Kinds of wrong findings, ten examples each: written by somebody who had not seen the rules.

`wrong_findings.jsonl` has, for each, the turns, the turn that is judged, and what must come of it.
An example that still fails is named here with its reason; none is changed to pass.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from support.dialogues import NO_FLOOR, dialogue, metric
from warmline.analysis import Empathy
from warmline.empathy import ledger, measure
from warmline.language import read
from warmline.models.engines import Engines
from warmline.settings import Settings

pytestmark = pytest.mark.models
LINES = (Path(__file__).parent / "wrong_findings.jsonl").read_text(encoding="utf-8").splitlines()
EXAMPLES = [json.loads(line) for line in LINES]
NO_CUE_YET = (
    "the customer's feeling is not recognised, so that there is no row to belong to anybody"
)
STILL_WRONG = {
    "two_agents-80": NO_CUE_YET,
    "two_agents-87": NO_CUE_YET,
    "two_agents-88": NO_CUE_YET,
    "true_empathy-103": "neither rules nor model know that 'shattered' is a state of the other",
}
ROLES = {"agent": "agent", "agent1": "agent", "agent2": "agent", "customer": "customer"}
SHOWS = ("affective", "cognitive", "attentive", "emotional_reaction")


def understood(turns: list[list[str]], engines: Engines) -> Empathy:
    call = dialogue(*(f"{who}: {text}" for who, text in turns), roles=ROLES)
    moments = read(*call, Settings().language, engines)
    return measure(call[0], moments, NO_FLOOR, Settings().empathy, unheard_reason=None)


def is_right(empathy: Empathy, at: int, expected: dict[str, object]) -> bool:
    here = [m for m in empathy.moments if m.turn_index == at]
    rows = [o for o in empathy.opportunities if o.turn_index == at]
    answers = [o.answer for o in empathy.opportunities if o.answer_turn_index == at]
    heard_by = {o.heard_by for o in rows}
    match expected:
        case {"no_cue": True}:
            return not rows
        case {"no": "resolution"}:
            return not any(m.kind == "resolution" and m.label == "resolved" for m in here)
        case {"no": "reflection"}:
            return not any(m.label == "reflection" for m in here)
        case {"no": "dismissal"}:
            return "dismissed" not in answers
        case {"no": kind}:
            return not any(m.kind == kind for m in here)
        case {"says": kind}:
            return any(m.kind == kind for m in here)
        case {"answered": is_so}:
            return bool(rows) and all(ledger.answered(o) is is_so for o in rows)
        case {"next_step": value}:
            return metric(empathy, "next_step").value == value
        case {"yes": "empathic"}:
            return any(m.kind in SHOWS for m in here)
        case {"cue_belongs_to": party}:
            speaks = {m.turn_index: m.party for m in empathy.moments}
            answered = [o.answer_turn_index for o in rows if o.answer_turn_index is not None]
            return heard_by == {party} and all(speaks[t] == party for t in answered)
    raise AssertionError(f"no such expectation: {expected}")


def named(number: int, example: dict[str, Any]) -> ParameterSet:
    name = f"{example['kind']}-{number}"
    marks = [pytest.mark.xfail(reason=STILL_WRONG[name])] if name in STILL_WRONG else []
    return pytest.param(example, id=name, marks=marks)


@pytest.mark.parametrize("example", [named(i, e) for i, e in enumerate(EXAMPLES)])
def test_what_was_wrongly_found_is_not_found(example: dict[str, Any], engines: Engines) -> None:
    empathy = understood(example["turns"], engines)
    assert is_right(empathy, example["judge"], example["expect"]), (example, empathy.opportunities)
