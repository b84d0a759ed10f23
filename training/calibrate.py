"""Learn the weights by which rules and models together score a turn of customer support.

    python training/calibrate.py --data ../shared/data/text

Writes `networks/turns.toml` and prints the figures of `training/README.md`. It learns from
`support_turns.txt`, `support_sets.txt` and, so that nothing is forgotten, from GoEmotions (the
comments that no network learned from) and EPITOME (with probabilities of the networks that did not
see the pair). Seeded; about 6 minutes.
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
from corpora import goemotions as comments_of
from evidence import EpitomeFolds, Turn, evidence_of
from train import FOLDS_FILE, split
from warmline.language.features import EMPATHY_EVIDENCE, NEGATIVE_EVIDENCE
from warmline.language.heads import FEELINGS, MECHANISMS, adapter_file
from warmline.statistics import bootstrap
from weighted import Fitted, Labelled, Restraint, fit

SEED = 1
FOLDS = 5
# Restating, guessing a feeling and speaking of oneself answer a feeling as well. EPITOME's
# emotional reactions and our levels do not ask for them, so that little weight is learned for them;
# this much is added, about the log-odds that are usual, chosen on half of the sessions of ESConv.
UNDERSTANDING, USUAL_UNDERSTANDING = 0.4, -2.3
# A domain with so many rows is a set, and has figures of its own.
_SET_ROWS = 100
_FILE = adapter_file("emotions").with_name("turns.toml")
_HEAD = """\
# Written by training/calibrate.py. What each piece of evidence adds to the log-odds of a score
# (`weighing.py` says what it is), and each component of MiniLM's vector of the turn. Learned from
# text by the makers of warmline, beside GoEmotions and EPITOME: see MODEL_CARD.md. Evidence of
# weight 0 was offered and added nothing.
"""


@dataclass(frozen=True)
class Task:
    """One score: its evidence, and how its learning is held back."""

    name: str
    signs: dict[str, int]
    restraint: Restraint
    support: Labelled
    public: Labelled
    # GoEmotions' development part; None where the public corpus is cross-validated instead.
    development: Labelled | None


def main() -> None:
    """Learn, write, and say how well it does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with goemotions, epitome")
    chosen = parser.parse_args()
    dialogues = support_dialogues()
    tasks = [negative_task(dialogues, chosen.data), empathy_task(dialogues, chosen.data)]
    fitted = {}
    for task in tasks:
        report(task)
        fitted[task.name] = learned(task, task.support.only(~task.support.held_out), task.public)
    fitted["empathy"] = with_understanding(fitted["empathy"])
    write(fitted)


def negative_task(dialogues: Sequence[SupportDialogue], data: Path) -> Task:
    """A customer's negative emotion, with GoEmotions beside it."""
    aside, _ = split(comments_of(data / "goemotions", "train"))
    develop = comments_of(data / "goemotions", "dev")
    # A customer's turn is read without what came before it, so that they can be read as one call.
    rows = evidence_of([[Turn("customer", c.text) for c in (*aside, *develop)]], "customer")
    levels = [2 * bool(c.emotions & FEELINGS["negative"]) for c in (*aside, *develop)]
    both = Labelled.of(rows, levels, list(range(len(rows))), NEGATIVE_EVIDENCE)
    first = np.arange(len(rows)) < len(aside)
    return Task(
        *("negative_emotion", dict(NEGATIVE_EVIDENCE), Restraint(0.1, 0.001, 1.1)),
        support_rows(dialogues, "customer", NEGATIVE_EVIDENCE),
        both.only(first),
        both.only(~first),
    )


def empathy_task(dialogues: Sequence[SupportDialogue], data: Path) -> Task:
    """An agent's empathy, with EPITOME's emotional reactions beside it."""
    pairs = epitome(data / "epitome")
    read = [[Turn("customer", p.seeker), Turn("agent", p.response)] for p in pairs]
    unseen = EpitomeFolds.read(FOLDS_FILE)
    rows = evidence_of(read, "agent", [unseen.levels(p) for p in pairs])
    place = MECHANISMS.index("emotional_reaction")
    levels = [2 * (p.levels[place] > 0) for p in pairs]
    public = Labelled.of(rows, levels, [p.seeker_id for p in pairs], EMPATHY_EVIDENCE)
    own = support_rows(dialogues, "agent", EMPATHY_EVIDENCE)
    return Task("empathy", dict(EMPATHY_EVIDENCE), Restraint(0.1, 0.001, 0.5), own, public, None)


def support_rows(
    dialogues: Sequence[SupportDialogue], speaker: str, names: Sequence[str]
) -> Labelled:
    """The turns of one speaker, with their levels; variants of one dialogue are one group."""
    rows = evidence_of([[Turn(t.speaker, t.text) for t in d.turns] for d in dialogues], speaker)
    told = [(d, t) for d in dialogues for t in d.turns if t.speaker == speaker]
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


def with_understanding(found: Fitted) -> Fitted:
    """Return the weights of empathy with more weight for interpretations."""
    weights = dict(found.weights)
    weights["model.interpretation"] += UNDERSTANDING
    intercept = found.intercept - UNDERSTANDING * USUAL_UNDERSTANDING
    return replace(found, intercept=intercept, weights=weights)


def report(task: Task) -> None:
    """Say how well weights do on what they did not learn from."""
    own = task.support.only(~task.support.held_out)
    aside = task.support.only(task.support.held_out)
    ships = learned(task, own, task.public)
    print(f"{task.name}: of {len(own.levels)} turns {int((own.levels > 0).sum())} at level 1 or 2")
    say("held out", aside, ships.scores(aside))
    say("five folds by dialogue", own, _left_out(task, own, _folds(own)))
    domains = {domain: own.domains == domain for domain in sorted(set(own.domains))}
    unseen = _left_out(task, own, list(domains.values()))
    say("each domain, each set left out", own, unseen)
    for name, rows in domains.items():
        if rows.sum() >= _SET_ROWS:
            say(f"{name} left out", own.only(rows), unseen[rows])
    if task.development is not None:
        say("GoEmotions dev", task.development, ships.scores(task.development))
        return
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


def write(fitted: dict[str, Fitted]) -> None:
    """Write the weights into the package."""
    parts = [_HEAD]
    for name, found in fitted.items():
        vector = textwrap.fill(", ".join(f"{w + 0.0:.3f}" for w in found.vector), 100)
        parts.append(f"\n[{name}]\nintercept = {found.intercept:.3f}\nvector = [\n{vector}\n]\n")
        parts.append(f"\n[{name}.weights]\n")
        parts += [f'"{evidence}" = {w + 0.0:.3f}\n' for evidence, w in found.weights.items()]
    _FILE.write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
