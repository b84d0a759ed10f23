"""The generated pieces that redaction is tried on, and the redaction of them."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from warmline.redaction import kinds
from warmline.redaction.checks import is_card
from warmline.redaction.tokens import digits_of, token
from warmline.resources import folder, load_outside
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
