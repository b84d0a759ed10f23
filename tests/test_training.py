"""The texts that weights are learned from, and how the weights are learned."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from warmline.errors import DataError
from warmline.files import folder, load_outside
from warmline.language import feelings, score_turns
from warmline.language.rulebook import CUE_LABELS
from warmline.language.scoring import EMPATHY_EVIDENCE, weights

TRAINING = Path(__file__).parents[1] / "training"
pytestmark = pytest.mark.skipif(
    not TRAINING.is_dir(), reason="the training is part of the checkout"
)
WIDTH = 384  # of MiniLM's vectors
LEARNED = {"empathy": EMPATHY_EVIDENCE}


@pytest.fixture(scope="module")
def corpora():
    return load_outside("warmline_corpora", folder("training") / "corpora.py")


@pytest.fixture(scope="module")
def weighted():
    return load_outside("warmline_weighted", TRAINING / "weighted.py")


def test_support_turns_are_many_varied_and_labelled_throughout(corpora) -> None:
    dialogues = corpora.support_dialogues()
    turns = [turn for d in dialogues for turn in d.turns]
    by_speaker = {s: [t for t in turns if t.speaker == s] for s in ("agent", "customer")}
    assert all(len(own) >= 500 for own in by_speaker.values())
    assert {t.level for own in by_speaker.values() for t in own} == {0, 1, 2}
    assert all(sum(t.level > 0 for t in own) > 200 for own in by_speaker.values())
    assert {f for t in turns for f in t.feelings} == set(CUE_LABELS)
    assert all(t.level > 0 for t in by_speaker["customer"] if t.feelings)
    first = corpora.support_dialogues(corpora.SUPPORT_FILES[0])
    assert all(
        bool(t.feelings) == (t.level > 0) for d in first for t in d.turns if t.speaker[0] == "c"
    )
    assert len({d.domain for d in dialogues}) >= 20
    assert {d.register for d in dialogues} == {"call", "chat", "email", "tweet"}
    assert {t.speaker for d in dialogues for t in d.turns[:1]} <= {"agent", "customer"}


def test_no_two_sets_share_a_turn(corpora) -> None:
    """What two sets share would not be unseen when one of them is left out."""
    first, sets = (corpora.support_dialogues(path) for path in corpora.SUPPORT_FILES)
    by_set: dict[str, set[str]] = {"first": {t.text for d in first for t in d.turns}}
    for dialogue in sets:
        by_set.setdefault(dialogue.domain, set()).update(t.text for t in dialogue.turns)
    said = [text for texts in by_set.values() for text in texts if len(text.split()) > 7]
    assert len(said) == len(set(said))


def test_no_dialogue_is_on_both_sides_of_the_division(corpora) -> None:
    dialogues = corpora.support_dialogues()
    aside = {d.number for d in dialogues if d.is_held_out}
    assert aside.isdisjoint({d.number for d in dialogues if not d.is_held_out})
    assert len({(d.number, d.variant) for d in dialogues}) == len(dialogues)
    said = {True: set(), False: set()}
    for dialogue in dialogues:
        said[dialogue.is_held_out] |= {t.text for t in dialogue.turns if len(t.text.split()) > 7}
    assert not said[True] & said[False]


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("C none: hello\n", "line 1: a turn without a dialogue"),
        ("[001 bank call]\nA 3: hello\n", "line 2: '3' is no label of a turn of the agent"),
        ("[001 bank call]\nA fear1: hello\n", "line 2: 'fear1' is no label"),
        ("[001 bank call]\nC negative3: hello\n", "line 2: 'negative3' is no label"),
        (
            "[001 bank call]\nC joy1: hello\n",
            "line 2: 'joy1' is no label of a turn of the customer",
        ),
        ("[001 bank call]\nC none:\n", "line 2: not `C labels: words`"),
    ],
)
def test_a_broken_line_is_refused_by_its_place(corpora, tmp_path, lines, wanted) -> None:
    path = tmp_path / "turns.txt"
    path.write_text(lines)
    with pytest.raises(DataError, match=wanted):
        corpora.support_dialogues(path)


def test_a_dialogue_is_read_as_it_is_written(corpora, tmp_path) -> None:
    path = tmp_path / "turns.txt"
    path.write_text("# head\n\n[008b car-hire chat]\nC fear1 anger2: no: never\nA 2: oh dear\n")
    (dialogue,) = corpora.support_dialogues(path)
    assert (dialogue.number, dialogue.variant, dialogue.domain) == (8, "b", "car-hire")
    assert dialogue.register == "chat" and dialogue.is_held_out
    first, second = dialogue.turns
    assert (first.text, first.level) == ("no: never", 2)
    assert first.feelings == {"fear_anxiety", "anger_frustration"}
    assert (second.speaker, second.level, second.feelings) == ("agent", 2, frozenset())
    path.write_text("[900 phone call]\nC negative2: well that is that\n")
    ((unnamed,),) = (d.turns for d in corpora.support_dialogues(path))
    assert (unnamed.level, unnamed.feelings) == (2, frozenset())


def test_weights_find_what_speaks_for_it_and_never_turn_round(weighted) -> None:
    random = np.random.default_rng(5)
    names = ["good", "against", "noise"]

    def drawn(rows: int, base: float) -> object:
        evidence = random.normal(size=(rows, 3))
        vectors = random.normal(size=(rows, 4)) / 20
        odds = 2 * evidence[:, 0] + evidence[:, 1] - 20 * vectors[:, 2] + base
        levels = 2 * (odds + random.logistic(size=rows) > 0)
        named = [dict(zip(names, row, strict=True)) for row in evidence]
        told = list(zip(named, vectors, strict=True))
        return weighted.Labelled.of(told, levels, list(range(rows)), names)

    support, public = drawn(1500, 0.0), drawn(1500, -3.0)
    signs = {"good": 1, "against": -1, "noise": 1}
    found = weighted.fit(support, public, signs, weighted.Restraint(10.0, 10.0, 1.0))
    assert found.weights["good"] == pytest.approx(1.5, abs=0.5)
    # It was told to point down, and the data point up.
    assert found.weights["against"] == 0.0
    # No name points to it, and it may point anywhere.
    assert found.vector[2] == pytest.approx(-15, abs=5)
    assert np.abs(np.delete(found.vector, 2)).max() < 4
    # What is rarer among the public texts does not lower what is said of support.
    assert abs(found.intercept) < 0.3


@pytest.mark.parametrize("name", LEARNED)
def test_what_ships_has_a_weight_for_each_piece_of_evidence_in_its_direction(name: str) -> None:
    signs, found = LEARNED[name], weights(name)
    assert set(found.of) == set(signs)
    assert all(weight * signs[evidence] >= 0 for evidence, weight in found.of.items())
    assert 5 <= sum(weight != 0 for weight in found.of.values()) <= 40
    assert found.vector.shape == (WIDTH,) and 0 < np.abs(found.vector).max() < 2


@pytest.mark.parametrize("name", LEARNED)
def test_more_evidence_never_lowers_what_it_speaks_for(name: str) -> None:
    found, evidence = weights(name), dict.fromkeys(LEARNED[name], 0.0)
    vector = np.full(WIDTH, WIDTH**-0.5, np.float32)
    for piece, sign in LEARNED[name].items():
        more = found.share({**evidence, piece: float(sign)}, vector)
        assert more >= found.share(evidence, vector)


@pytest.mark.models
def test_turns_held_out_are_told_apart(corpora) -> None:
    """Our own text, so this guards what was learned; it says nothing of anybody's calls."""
    truth: dict[str, list[tuple[bool, float]]] = {"agent": [], "customer": []}
    held_out = [d for d in corpora.support_dialogues() if d.is_held_out]
    for dialogue in held_out[::16]:
        for turn, score in zip(dialogue.turns, score_turns(dialogue.turns), strict=True):
            said = score.empathy if turn.speaker == "agent" else score.negative_emotion
            truth[turn.speaker].append((turn.level > 0, said or 0.0))
    areas = {s: roc_auc_score(*zip(*rows, strict=True)) for s, rows in truth.items()}
    assert areas["agent"] > 0.85
    assert areas["customer"] > 0.80


@pytest.fixture
def training_of_feelings(monkeypatch) -> Iterator[ModuleType]:
    """The script of training, whose neighbours have generic names that are not kept."""
    pytest.importorskip("torch")
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(TRAINING))
    yield load_outside("warmline_training_feelings", TRAINING / "feelings.py")
    for name in set(sys.modules) - before:
        if str(TRAINING) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_mean_of_networks_changes_each_matrix_by_the_mean_change(training_of_feelings) -> None:
    import torch

    def network(seed: int) -> dict[str, torch.Tensor]:
        drawn = torch.Generator().manual_seed(seed)
        sizes = {"a.up": (6, 2), "a.down": (2, 5), "head.weight": (1, 5), "head.bias": (1,)}
        return {n: torch.randn(*size, generator=drawn).half() for n, size in sizes.items()}

    parts = [network(seed) for seed in (1, 2, 3)]
    found = training_of_feelings.mean_of(parts)
    wanted = sum(p["a.up"].float() @ p["a.down"].float() for p in parts) / 3
    assert torch.allclose(found["a.up"].float() @ found["a.down"].float(), wanted, atol=0.02)
    assert torch.allclose(found["head.bias"], sum(p["head.bias"].float() for p in parts) / 3)


@pytest.fixture(scope="module")
def pairs(corpora) -> list[Any]:
    return corpora.service_lines(corpora.SERVICE_PAIRS)


def test_nothing_was_learned_from_the_pairs_and_length_does_not_tell_them_apart(
    corpora, pairs
) -> None:
    learned = {line.text.lower() for line in corpora.service_lines()}
    learned |= {turn.text.lower() for d in corpora.support_dialogues() for turn in d.turns}
    assert not {line.text.lower() for line in pairs} & learned
    felt = [line.label != "plain" for line in pairs]
    words = [len(line.text.split()) for line in pairs]
    assert len(pairs) == 1500 and 600 < sum(felt) < 900
    assert 0.4 < roc_auc_score(felt, words) < 0.55
    assert sum(line.before is not None for line in pairs) > 400


def test_what_the_agent_said_stands_before_a_bar(corpora, tmp_path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("en plain: And now? | It is red.\nde trouble: Nichts geht.\n")
    after, alone = corpora.service_lines(path)
    assert (after.before, after.text) == ("And now?", "It is red.")
    assert (alone.before, alone.text) == (None, "Nichts geht.")
    path.write_text("en plain: one | two | three\n")
    with pytest.raises(DataError, match="line 1"):
        corpora.service_lines(path)


@pytest.mark.slow
@pytest.mark.models
def test_turns_that_differ_only_in_what_is_felt_are_told_apart(pairs) -> None:
    """Our own text, so this guards what was learned; but nothing was learned from it."""
    for language, every in (("en", 8), ("de", 1)):
        chosen = [line for line in pairs if line.language == language][::every]
        scored = []
        for line in chosen:
            agent = [{"speaker": "agent", "text": line.before}] if line.before else []
            told = [*agent, {"speaker": "customer", "text": line.text}]
            scored.append(score_turns(told, language=language)[-1].negative_emotion)
        assert roc_auc_score([line.label != "plain" for line in chosen], scored) > 0.77


def test_lines_of_agents_and_customers_are_of_the_same_languages(corpora) -> None:
    agents, customers = corpora.agent_lines(), corpora.service_lines()
    assert {code for code, _ in agents} == {line.language for line in customers}
    assert len({text for _, text in agents}) == len(agents) >= 100
    assert not {text for _, text in agents} & {line.text for line in customers}


@pytest.fixture(scope="module")
def ledger() -> ModuleType:
    return load_outside("warmline_training_ledger", TRAINING / "ledger.py")


def heard_turns(ledger: ModuleType, count: int, seed: int) -> list[Any]:
    """Turns whose log-odds of a feeling are twice the network's two outputs, and 1 less."""
    random_ = np.random.default_rng(seed)
    found = []
    for place in range(count):
        one, other = random_.normal(0.0, 1.0, 2)
        felt = random_.random() < 1.0 / (1.0 + np.exp(1.0 - 2.0 * (one + other)))
        evidence = {"sentence.any": one, "context.any": other, "text.words": 0.0}
        found.append(ledger.Heard(f"chat {place // 5}", bool(felt), False, evidence))
    return found


def test_the_fit_of_the_ledger_finds_the_odds_that_made_the_turns(ledger: ModuleType) -> None:
    turns = heard_turns(ledger, 6000, 3)
    fit = ledger.calibrated(ledger.sums(turns, "other"), ledger.truth(turns))
    assert (fit.scale, fit.intercept) == pytest.approx((2.0, -1.0), abs=0.15)
    # What is right already needs no calibration.
    assert (fit.below, fit.above, fit.shift) == pytest.approx((1.0, 1.0, 0.0), abs=0.15)


def test_the_threshold_of_the_ledger_is_the_least_that_is_precise_enough(
    ledger: ModuleType,
) -> None:
    turns = heard_turns(ledger, 400, 4)
    least = ledger.threshold([], turns)
    sure = ledger.left_out(turns, "other")
    heard = ledger.truth(turns)
    assert heard[sure >= least].mean() >= 0.76
    assert heard[sure >= least - 0.06].mean() < heard[sure >= least].mean()


def test_what_the_ledgers_fit_writes_is_read_as_the_same_probabilities(
    ledger: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = heard_turns(ledger, 300, 5)
    own = ledger.sums(turns, "other")
    fit = ledger.calibrated(own, ledger.truth(turns))
    table = tomllib.loads("".join(ledger.written({"other": fit}, 0.58)))
    monkeypatch.setattr(feelings, "_table", lambda: table)
    feelings._weights.cache_clear()
    read = [feelings._weights("other").share(turn.evidence) for turn in turns]
    feelings._weights.cache_clear()
    assert read == pytest.approx(fit.probability(own), abs=2e-3)
    assert table["thresholds"] == {"any_negative": 0.58}


def test_the_ledgers_shipped_weights_are_in_the_proportions_of_the_fit(ledger: ModuleType) -> None:
    shipped = tomllib.loads(ledger.FILE.read_text(encoding="utf-8"))
    for name, shares in ledger.PROPORTIONS.items():
        weights = shipped[name]["weights"]
        assert list(weights) == list(shares)
        scale = weights[next(iter(shares))]
        assert weights == pytest.approx({k: v * scale for k, v in shares.items()}, abs=2e-3)
