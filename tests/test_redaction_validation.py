"""The generated pieces that redaction is tried on, and the redaction of them."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from warmline.errors import DataError
from warmline.files import folder, load_outside
from warmline.redaction import kinds
from warmline.redaction.numbers import is_card
from warmline.redaction.tokens import digits_of, token
from warmline.settings import RedactionSettings

pytestmark = pytest.mark.skipif(
    not (Path(__file__).parents[1] / "validation").is_dir(),
    reason="the validation is part of the checkout",
)
SEED = 20261122  # not the one that the rules were looked at with


@pytest.fixture(scope="module", autouse=True)
def validation() -> None:
    load_outside("warmline_validation", folder("validation") / "__init__.py")


def part(name: str) -> ModuleType:
    return import_module(f"warmline_validation.{name}")


def test_the_same_seed_makes_the_same_pieces_and_another_others():
    made = [list(part("private").pieces(seed, 3)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert {p.kind for p in made[0]} - {None} <= set(kinds())
    for piece in made[0]:
        assert any(piece.private) == (piece.kind is not None)
        assert len(piece.private) == len(piece.transcript.words)


def test_planted_card_numbers_are_card_numbers():
    found = [p for p in part("private").pieces(SEED, 120) if p.kind == "card"]
    plain = [p for p in found if p.form == "single, volunteered"]
    assert plain
    for piece in plain:
        said = [w for w, p in zip(piece.transcript.words, piece.private, strict=True) if p]
        assert is_card(digits_of([token(w.text) for w in said]))


def test_most_is_found_in_pieces_that_the_rules_have_not_seen():
    tell = part("redaction").tell
    told = [tell(piece) for piece in part("private").pieces(SEED, 40)]
    private = [t for t in told if t.piece.kind]
    assert sum(t.is_whole for t in private) / len(private) > 0.9
    assert sum(t.both for t in told) / sum(t.hidden for t in told) > 0.97
    off = [tell(t.piece, RedactionSettings(enabled=False)) for t in private[:20]]
    assert not any(t.hidden or t.is_whole for t in off)


def test_sayings_written_by_hand_are_hidden_wholly_and_harmless_ones_left():
    written = part("written")
    outcomes = [written.try_saying(saying) for saying in written.written_sayings()]
    forms = [o for o in outcomes if o.saying.kind != written.CONTROL]
    controls = [o for o in outcomes if o.saying.kind == written.CONTROL]
    assert len(forms) >= 600
    assert len(controls) >= 400
    assert sum(o.is_right for o in forms) / len(forms) >= 0.98
    assert sum(not o.is_right for o in controls) / len(controls) <= 0.01
    of_kinds = {c.kind: c.right / c.all for c in written.counts(forms)}
    assert min(of_kinds.values()) >= 0.9, of_kinds


def test_a_file_of_sayings_is_measured_and_what_went_wrong_is_named(tmp_path, capsys):
    rows = [
        {
            "id": "a",
            "kind": "card",
            "turns": [["agent", "card number?"], ["customer", "4111 1111 and 1111 1111"]],
            "private": ["4111 1111", "1111 1111"],
        },
        {"id": "b", "kind": "code", "turns": [["customer", "it says four"]], "private": ["four"]},
        {"id": "c", "kind": "control", "turns": [["agent", "a 3 bed flat"]], "private": []},
        {"id": "d", "kind": "control", "turns": [["customer", "it's 555-867-5309"]], "private": []},
    ]
    file = tmp_path / "sayings.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    part("redaction.__main__").main([str(file), "--misses"])
    told = capsys.readouterr().out.splitlines()
    assert [line.split() for line in told] == [
        ["card", "1", "of", "1", "100.0%"],
        ["code", "0", "of", "1", "0.0%"],
        ["control", "1", "of", "2", "50.0%", "false", "alarms", "1"],
        ["all", "forms", "1", "of", "2", "50.0%"],
        ["b"],
        ["d"],
    ]


def test_the_command_says_nothing_but_the_figures(tmp_path):
    file = tmp_path / "sayings.jsonl"
    row = {"id": "c", "kind": "control", "turns": [["agent", "a 3 bed flat"]], "private": []}
    file.write_text(json.dumps(row))
    ran = subprocess.run(
        [sys.executable, "-m", "validation.redaction", str(file)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
    assert ran.stdout.split()[:4] == ["control", "1", "of", "1"]


def test_a_line_that_is_no_saying_is_refused_with_its_number(tmp_path):
    file = tmp_path / "sayings.jsonl"
    row = {"id": "a", "kind": "card", "turns": [["agent", "hello"]], "private": ["4111"]}
    file.write_text("\n" + json.dumps(row))
    with pytest.raises(DataError, match=r"line 2: .*'4111' is in no turn of 'a'"):
        list(part("written").sayings_in(file))
