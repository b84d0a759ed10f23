"""Make probabilities of what is heard in a customer's turn, and set the ledger's threshold.

    python training/ledger.py --data ../shared/data/text

Writes the numbers of `networks/feelings.toml`. How much one kind of evidence counts beside another
was rounded by hand and stands here (`PROPORTIONS`); their scale, the intercept, the beta
calibration (Kull et al. 2017) and the ledger's threshold come from that half of the support chats
that sets thresholds. The half that is reported is not read. To be run after `feelings.py`; a minute
on one core. Processors with other number formats give other third digits.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from warmline.analysis import Moment
from warmline.language.feelings import (
    evidence_of,
    language_of,
    read_sentences,
    unread_words,
)
from warmline.language.rule_moments import rule_moments
from warmline.language.rulebook import rulebook
from warmline.language.windows import TurnText, adapter_file, score_windows, turn_texts_of
from warmline.models.engines import Engines
from warmline.settings import Settings
from warmline.values import RoleName

SEED = 1
DRAWS = 10_000
LEAST_PRECISION, STEP = 0.77, 0.02
# The data's numbers of emotions: the unpleasant ones, and confusion, which has its own kind.
NEGATIVE, CONFUSED = frozenset({3, 5, 6, 7}), 4
_NETWORK = {"sentence.any": 1.0, "context.any": 1.0, "text.words": 1.0}
# Chosen on the same half, from some forty.
PROPORTIONS: Mapping[str, Mapping[str, float]] = {
    "english": {
        **_NETWORK,
        "emotion.negative": 1.2,
        "rule.cue": 2.5,
        "rule.hostile": 2.0,
        "rule.complaint": 2.0,
        "rule.friction_repeat": 1.0,
        "rule.friction_transfer": 1.0,
        "rule.friction_hold": 1.0,
        "rule.unresolved": 1.0,
        "rule.relief": -1.5,
        "rule.thanks": -0.7,
    },
    "other": _NETWORK,
    "confusion": {"sentence.confusion_powerlessness": 1.0},
}
FILE = adapter_file("feelings").with_suffix(".toml")
_HEAD = """\
# Written by training/ledger.py. How what the network hears in a customer's words becomes the
# probability of a feeling in the turn: weights of the evidence that `feelings.py` names, in
# log-odds. Their proportions are rounded by hand, chosen from some forty on one half of the
# dialogues of the support chats (validation/service.py); scale, intercept and calibration make
# probabilities of them on the same half. The threshold is the least, in steps of {step:g}, at which
# the median precision in both languages together, over ten thousand draws of whole dialogues of
# that half and by probabilities that had not learned from their dialogue, is at least {least:g}.
"""


@dataclass(frozen=True)
class Heard:
    """A customer's turn: what people heard in it, and the evidence by name."""

    dialogue: str
    is_negative: bool
    is_confused: bool
    evidence: Mapping[str, float]


@dataclass(frozen=True)
class Fit:
    """A sum of evidence in log-odds, and its beta calibration."""

    scale: float
    intercept: float
    below: float = 1.0
    above: float = 1.0
    shift: float = 0.0

    def probability(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return probabilities, as `warmline.language.feelings` gives them."""
        improbable, probable = _parts(self.scale * sums + self.intercept)
        found: NDArray[np.float64] = 1.0 / (
            1.0 + np.exp(self.below * improbable - self.above * probable - self.shift)
        )
        return found


def main() -> None:
    """Fit, say how well it does, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with support")
    folder = parser.parse_args().data / "support"
    english, other = heard_in(folder, "text_mt", "en"), heard_in(folder, "text_src", "pt")
    fits = {
        "english": calibrated(sums(english, "english"), truth(english)),
        "other": calibrated(sums(other, "other"), truth(other)),
        "confusion": scaled(sums(english, "confusion"), np.array([t.is_confused for t in english])),
    }
    least = threshold(english, other)
    for name, fit in fits.items():
        print(name, fit)
    print(f"{len(english)} turns in English, {len(other)} in Portuguese; threshold {least:.2f}")
    FILE.write_text("".join(written(fits, least)), encoding="utf-8")


def sets_thresholds(dialogue: str) -> bool:
    """Return whether a dialogue is of the half that sets thresholds (`validation/service.py`)."""
    return int(hashlib.sha256(dialogue.encode()).hexdigest()[:8], 16) % 2 == 0


def heard_in(folder: Path, column: str, language: str) -> list[Heard]:
    """Return the customers' turns of that half that are read in this language.

    `column` is `text_mt` or `text_src`, the customers' words translated or as they wrote them.
    """
    engines = Engines.from_settings(Settings())
    found: list[Heard] = []
    for file in sorted(folder.glob("*.json")):
        for dialogue in json.loads(file.read_text(encoding="utf-8")):
            told = _told(dialogue["turns"], column)
            customers = [p for p in told if p.turn.role is RoleName.CUSTOMER]
            spoken = language_of(p.turn.text for p in customers)
            if not sets_thresholds(dialogue["id"]) or spoken != language:
                continue
            for index, evidence in _evidence(told, language, engines):
                labels = set(dialogue["turns"][index]["Emotion"])
                heard = bool(NEGATIVE & labels), CONFUSED in labels
                found.append(Heard(dialogue["id"], *heard, evidence))
    return found


def _told(turns: Sequence[dict[str, list[str]]], column: str) -> tuple[TurnText, ...]:
    roles = [RoleName.CUSTOMER if t["floor"] == "inbound" else RoleName.AGENT for t in turns]
    return turn_texts_of(
        [
            (role, " ".join(turn[column if role is RoleName.CUSTOMER else "text_src"]))
            for role, turn in zip(roles, turns, strict=True)
        ]
    )


def _evidence(
    told: Sequence[TurnText], language: str, engines: Engines
) -> Iterator[tuple[int, Mapping[str, float]]]:
    """Yield the evidence of each customer's turn; rules and windows read English only."""
    book = rulebook(Settings().language)
    customers = [p for p in told if p.turn.role is RoleName.CUSTOMER]
    unread = unread_words(told, book) if language == "en" else {}
    heard = score_windows(customers, engines, unread) if language == "en" else {}
    by_turn: dict[int, list[Moment]] = {}
    english = told if language == "en" else ()
    for moment in rule_moments(english, book, heard):
        by_turn.setdefault(moment.turn_index, []).append(moment)
    read = read_sentences(told, engines, unread)
    for index, own in read.items():
        windows = heard.get(index, ())
        yield index, evidence_of(told[index], by_turn.get(index, []), own, windows)


def truth(turns: Sequence[Heard]) -> NDArray[np.bool_]:
    """Return in which turns people heard an unpleasant feeling."""
    return np.array([t.is_negative for t in turns])


def sums(turns: Sequence[Heard], name: str) -> NDArray[np.float64]:
    """Return the sum of each turn's evidence in these proportions."""
    weights = PROPORTIONS[name]
    return np.array([sum(w * t.evidence[k] for k, w in weights.items()) for t in turns])


def calibrated(sums: NDArray[np.float64], truth: NDArray[np.bool_]) -> Fit:
    """Return the scale, and the beta calibration of what it gives."""
    first = scaled(sums, truth)
    improbable, probable = _parts(first.scale * sums + first.intercept)
    (below, above), shift = _logistic(np.stack([-improbable, probable], 1), truth)
    return Fit(first.scale, first.intercept, below, above, shift)


def scaled(sums: NDArray[np.float64], truth: NDArray[np.bool_]) -> Fit:
    """Return the scale and intercept that make log-odds of the sums."""
    (scale,), intercept = _logistic(sums[:, None], truth)
    return Fit(scale, intercept)


def _parts(total: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return minus the log of the probability that these log-odds give, and of its complement."""
    return np.logaddexp(0.0, -total), np.logaddexp(0.0, total)


def _logistic(evidence: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[list[float], float]:
    """Return weights and intercept of a logistic layer that nothing holds back."""
    model = LogisticRegression(C=1e6, tol=1e-10, max_iter=10_000).fit(evidence, truth)
    return model.coef_[0].tolist(), float(model.intercept_[0])


def left_out(turns: Sequence[Heard], name: str) -> NDArray[np.float64]:
    """Return each turn's probability by a fit without its dialogue."""
    own, heard = sums(turns, name), truth(turns)
    dialogues = np.array([t.dialogue for t in turns])
    found = np.zeros(len(turns))
    for dialogue in np.unique(dialogues):
        here = dialogues == dialogue
        found[here] = calibrated(own[~here], heard[~here]).probability(own[here])
    return found


def threshold(english: Sequence[Heard], other: Sequence[Heard]) -> float:
    """Return the least threshold that is precise enough, both languages together."""
    both = [*english, *other]
    probability = np.concatenate([left_out(english, "english"), left_out(other, "other")])
    heard = truth(both)
    _, place = np.unique([t.dialogue for t in both], return_inverse=True)
    count = int(place.max()) + 1
    drawn = np.random.default_rng(SEED).multinomial(count, np.full(count, 1.0 / count), DRAWS)
    for least in np.arange(STEP, 1.0, STEP):
        rows = probability >= least
        right = drawn @ np.bincount(place, rows & heard, count)
        found = drawn @ np.bincount(place, rows, count)
        precision = float(np.median(right / np.maximum(found, 1)))
        recall = float((rows & heard).sum() / heard.sum())
        print(f"  from {least:.2f} on: precision {precision:.4f}, recall {recall:.3f}")
        if precision >= LEAST_PRECISION:
            return float(least)
    raise ValueError(f"no threshold has a precision of {LEAST_PRECISION:g} on this half")


def written(fits: Mapping[str, Fit], least: float) -> Iterator[str]:
    """Yield the parts of the file."""
    yield _HEAD.format(step=STEP, least=LEAST_PRECISION)
    for name, fit in fits.items():
        yield f"\n[{name}]\nintercept = {fit.intercept:.3f}\n"
        if fit.shift:
            yield f"\n[{name}.calibration]\n"
            yield f"below = {fit.below:.3f}\nabove = {fit.above:.3f}\nshift = {fit.shift:.3f}\n"
        yield f"\n[{name}.weights]\n"
        for evidence, share in PROPORTIONS[name].items():
            yield f'"{evidence}" = {share * fit.scale:.3f}\n'
    digest = hashlib.sha256(adapter_file("feelings").read_bytes()).hexdigest()
    yield f'\n[thresholds]\nany_negative = {least:.2f}\n\n[network]\nsha256 = "{digest}"\n'


if __name__ == "__main__":
    main()
