"""Learn the weights by which rules and models together score the empathy of an agent's turn.

    python training/calibrate.py --data ../shared/data/text

Writes `networks/turns.toml` and prints the figures of `training/README.md`. It learns from
`support_turns.txt`, `support_sets.txt` and, so that nothing is forgotten, from EPITOME (with
probabilities of the networks that did not see the pair). Seeded; about 6 minutes.
"""

import argparse
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from corpora import SupportDialogue, epitome, support_dialogues
from evidence import EpitomeFolds, Turn, evidence_of
from train import FOLDS_FILE
from warmline.language.scoring import EMPATHY_EVIDENCE
from warmline.language.windows import MECHANISMS, adapter_file
from warmline.statistics import bootstrap
from weighted import Fitted, Labelled, Restraint, fit

SEED = 1
FOLDS = 5
# Reassurance answers a feeling as well, and EPITOME's emotional reactions do not ask for it: these
# emotions are not learned from, but count by hand, by the mean of their log-odds; the usual turn
# has `USUAL_REASSURANCE`. Chosen on half of the sessions of ESConv.
REASSURING = ("approval", "optimism", "admiration", "relief", "pride", "love")
REASSURANCE, USUAL_REASSURANCE = 0.4, -4.5
# A domain with so many rows is a set, and has figures of its own.
_SET_ROWS = 100
_FILE = adapter_file("emotions").with_name("turns.toml")
_HEAD = """\
# Written by training/calibrate.py. What each piece of evidence adds to the log-odds of a score
# (`scoring.py` says what it is), and each component of MiniLM's vector of the turn. Learned from
# text by the makers of warmline, beside EPITOME, but for reassurance (approval, optimism,
# admiration, relief, pride, love), which is set by hand: see MODEL_CARD.md. Evidence of weight 0
# was offered and added nothing.
"""


@dataclass(frozen=True)
class Task:
    """What is learned from: evidence by name, and how its learning is held back."""

    signs: dict[str, int]
    restraint: Restraint
    support: Labelled
    public: Labelled


def main() -> None:
    """Learn, write, and say how well it does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with epitome")
    task = empathy_task(support_dialogues(), parser.parse_args().data)
    report(task)
    found = learned(task, task.support.only(~task.support.held_out), task.public)
    write(with_reassurance(found))


def empathy_task(dialogues: Sequence[SupportDialogue], data: Path) -> Task:
    """Return what an agent's empathy is learned from, EPITOME's emotional reactions beside it."""
    by_hand = {f"emotion.{name}" for name in REASSURING}
    signs = {name: sign for name, sign in EMPATHY_EVIDENCE.items() if name not in by_hand}
    pairs = epitome(data / "epitome")
    read = [[Turn("customer", p.seeker), Turn("agent", p.response)] for p in pairs]
    unseen = EpitomeFolds.read(FOLDS_FILE)
    rows = evidence_of(read, [unseen.levels(p) for p in pairs])
    place = MECHANISMS.index("emotional_reaction")
    levels = [2 * (p.levels[place] > 0) for p in pairs]
    public = Labelled.of(rows, levels, [p.seeker_id for p in pairs], tuple(signs))
    own = support_rows(dialogues, tuple(signs))
    return Task(signs, Restraint(0.1, 0.001, 0.5), own, public)


def support_rows(dialogues: Sequence[SupportDialogue], names: Sequence[str]) -> Labelled:
    """Return the turns of agents, with their levels; variants of one dialogue are one group."""
    rows = evidence_of([[Turn(t.speaker, t.text) for t in d.turns] for d in dialogues])
    told = [(d, t) for d in dialogues for t in d.turns if t.speaker == "agent"]
    own = [both for both, row in zip(told, rows, strict=True) if row is not None]
    read = [row for row in rows if row is not None]
    found = Labelled.of(read, [t.level for _, t in own], [d.number for d, _ in own], names)
    return replace(
        found,
        domains=np.array([d.domain for d, _ in own]),
        held_out=np.array([d.is_held_out for d, _ in own]),
    )


def learned(task: Task, support: Labelled, public: Labelled) -> Fitted:
    """Weights from these rows."""
    return fit(support, public, task.signs, task.restraint)


def with_reassurance(found: Fitted) -> Fitted:
    """Return the weights with those of reassurance, which are set by hand."""
    by_hand = {f"emotion.{name}": REASSURANCE / len(REASSURING) for name in REASSURING}
    intercept = found.intercept - REASSURANCE * USUAL_REASSURANCE
    return replace(found, intercept=intercept, weights={**found.weights, **by_hand})


def report(task: Task) -> None:
    """Say how well weights do on what they did not learn from."""
    own = task.support.only(~task.support.held_out)
    aside = task.support.only(task.support.held_out)
    ships = learned(task, own, task.public)
    print(f"empathy: of {len(own.levels)} turns {int((own.levels > 0).sum())} at level 1 or 2")
    say("held out", aside, ships.scores(aside))
    say("five folds by dialogue", own, _left_out(task, own, _folds(own)))
    domains = {domain: own.domains == domain for domain in sorted(set(own.domains))}
    unseen = _left_out(task, own, list(domains.values()))
    say("each domain, each set left out", own, unseen)
    for name, rows in domains.items():
        if rows.sum() >= _SET_ROWS:
            say(f"{name} left out", own.only(rows), unseen[rows])
    found = np.zeros(len(task.public.levels))
    for test in _folds(task.public):
        found[test] = learned(task, own, task.public.only(~test)).scores(task.public.only(test))
    say("EPITOME emotional reaction, five folds", task.public, found)


def _folds(rows: Labelled) -> list[NDArray[np.bool_]]:
    cut = GroupKFold(FOLDS, shuffle=True, random_state=SEED)
    tests = [test for _, test in cut.split(rows.evidence, groups=rows.groups)]
    return [np.isin(np.arange(len(rows.levels)), test) for test in tests]


def _left_out(
    task: Task, rows: Labelled, tests: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    found = np.zeros(len(rows.levels))
    for test in tests:
        found[test] = learned(task, rows.only(~test), task.public).scores(rows.only(test))
    return found


def say(where: str, rows: Labelled, scores: NDArray[np.float64]) -> None:
    """AUC of level 0 against 1 and 2, and of 0 against each, with intervals over dialogues."""
    parts = {"any": rows.levels >= 0, "1": rows.levels != 2, "2": rows.levels != 1}
    told = [f"{name} {_auc(rows.only(own), scores[own])}" for name, own in parts.items()]
    print(f"  {where} (n {len(scores)}): " + ", ".join(told), flush=True)


def _auc(rows: Labelled, scores: NDArray[np.float64]) -> str:
    there = rows.levels > 0

    def area(drawn: NDArray[np.int64]) -> float:
        if there[drawn].all() or not there[drawn].any():
            return float("nan")
        return float(roc_auc_score(there[drawn], scores[drawn]))

    return str(bootstrap(area, list(rows.groups), seed=SEED, rounds=300))


def write(found: Fitted) -> None:
    """Write the weights into the package."""
    vector = textwrap.fill(", ".join(f"{w + 0.0:.3f}" for w in found.vector), 100)
    parts = [_HEAD, f"\n[empathy]\nintercept = {found.intercept:.3f}\nvector = [\n{vector}\n]\n"]
    parts.append("\n[empathy.weights]\n")
    parts += [f'"{evidence}" = {w + 0.0:.3f}\n' for evidence, w in found.weights.items()]
    _FILE.write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
