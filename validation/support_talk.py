"""An agent's answers against people's labels: strategies of support talk, and what is templated.

ESConv (Liu et al. 2021): the strategy of every answer, and the seeker's own rating of the helper's
empathy. MAIA-DQE (Mendonça et al. 2023): which sentences of support agents are templates. Nothing
is learned from either.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from warmline.errors import DataError
from warmline.language import score_turns
from warmline.phrases import spoken_text
from warmline.statistics import Estimate, bootstrap

from .context import Context
from .report import Headline, Section, Table
from .scores import estimated_auc, said
from .service import is_reported

# What answers a feeling; the rest asks, informs, suggests or does none of these.
EMOTIONAL = frozenset(
    {
        *("Affirmation and Reassurance", "Approval and Reassurance", "Reflection of feelings"),
        *("Restatement or Paraphrasing", "Restatement", "Self-disclosure"),
    }
)
_TARGET = 0.75
# Turns of like length: the shorter has at least so much of the longer's words.
_LIKE = 0.75
_SUPPORT = ("pt_br_client_02.json", "pt_pt_client_03.json")


@dataclass(frozen=True)
class Reply:
    """One answer of a helper: its session, whether its strategy is emotional, and its score."""

    session: int
    is_emotional: bool
    empathy: float
    word_count: int
    place: float
    asks: bool


@dataclass(frozen=True)
class Sentence:
    """One sentence of a support agent; `seen` is the share of its word pairs in other dialogues."""

    dialogue: str
    is_templated: bool
    seen: float
    word_count: int
    place: float


def validate_support_talk(context: Context) -> Section:
    """Return how `empathy` ranks strategies and sessions, and how likeness ranks templates."""
    context.say("support talk: strategies and templates")
    file = context.data / "text" / "esconv" / "failed_half.json"
    if not file.is_file():
        raise DataError(f"{file.name}: not there; ESConv is needed")
    every, ratings = _replies(json.loads(file.read_text(encoding="utf-8")))
    replies = [r for r in every if is_reported(str(r.session))]
    sentences = _sentences(context.data / "text" / "support")
    strategies = _strategies(replies, context)
    heads = []
    if (empathy := _area(replies, [r.empathy for r in replies], context)) is not None:
        name = "emotional strategies against the rest: AUC"
        sessions = len({r.session for r in replies})
        heads.append(Headline(name, f"ESConv, {sessions} sessions", empathy, _TARGET))
    return Section(
        "Strategies of support talk, and templates",
        (
            f"{len(replies)} answers in {len({r.session for r in replies})} of "
            f"{len({r.session for r in every})} sessions of support in text that went badly "
            "(ESConv; nothing is learned from it, but the others, half of them by digest, chose "
            "how much interpretations and reassurance count). Emotional strategies are "
            "affirmation, reflection of feelings, restatement and self-disclosure. "
            "*Like length*: pairs of answers of which the shorter has at least three quarters of "
            "the longer's words. Before this choice "
            "`empathy` had 0.695 in these, and 0.712 with another one, by which emotional "
            "reactions of EPITOME were told less well (`training/README.md`).",
            strategies,
            "The ratings are of all sessions.",
            _rated(every, ratings, context),
            f"{len(sentences)} sentences of support agents, of which people called "
            f"{sum(s.is_templated for s in sentences)} templated (MAIA-DQE). *Seen elsewhere* "
            "is the share of a sentence's word pairs that stand in the other dialogues of the same "
            "service, as the query `scripted_answers` counts them over an agent's other calls.",
            _templates(sentences, context),
        ),
        tuple(heads),
    )


def _replies(sessions: Sequence[Mapping[str, object]]) -> tuple[list[Reply], dict[int, float]]:
    replies: list[Reply] = []
    ratings: dict[int, float] = {}
    for number, session in enumerate(sessions):
        told: list[dict[str, object]] = session["dialog"]  # type: ignore[assignment]
        turns = [
            {
                "speaker": "customer" if t["speaker"] == "speaker" else "agent",
                "text": str(t["content"]).strip(),
            }
            for t in told
        ]
        for place, (turn, label, scores) in enumerate(
            zip(turns, told, score_turns(turns, language="en"), strict=True)
        ):
            if scores.empathy is not None:
                strategy = label["annotation"]["strategy"]  # type: ignore[index]
                words, at = turn["text"].split(), place / len(turns)
                replies.append(
                    Reply(
                        *(number, strategy in EMOTIONAL, scores.empathy),
                        *(len(words), at, "?" in turn["text"]),
                    )
                )
        survey: dict[str, dict[str, str]] = session["survey_score"]  # type: ignore[assignment]
        rating = survey.get("seeker", {}).get("empathy")
        if rating:
            ratings[number] = float(rating)
    return replies, ratings


def _strategies(replies: Sequence[Reply], context: Context) -> Table:
    measures: dict[str, list[float]] = {
        "`empathy`": [r.empathy for r in replies],
        "number of words": [r.word_count for r in replies],
        "place in the session": [r.place for r in replies],
        "no question mark": [-float(r.asks) for r in replies],
    }
    truth = np.array([r.is_emotional for r in replies])
    lengths = np.array([r.word_count for r in replies], float)
    rows = []
    for name, values in measures.items():
        score = np.array(values, float)
        like = _like_length(truth, score, lengths, [r.session for r in replies], context)
        rows.append((name, said(_area(replies, values, context)), said(like)))
    return Table(("what ranks", "AUC", "AUC, like length"), tuple(rows))


def _area(replies: Sequence[Reply], values: Sequence[float], context: Context) -> Estimate | None:
    sessions = [r.session for r in replies]
    return estimated_auc([r.is_emotional for r in replies], values, sessions, context)


def _like_length(
    truth: NDArray[np.bool_],
    score: NDArray[np.float64],
    lengths: NDArray[np.float64],
    clusters: Sequence[Hashable],
    context: Context,
) -> Estimate | None:
    """Return the AUC of like length with its interval, rows of one cluster drawn together."""
    return bootstrap(
        lambda rows: auc_of_like_length(truth[rows], score[rows], lengths[rows]),
        clusters,
        seed=context.seed,
        rounds=context.rounds,
    )


def auc_of_like_length(
    truth: NDArray[np.bool_], score: NDArray[np.float64], lengths: NDArray[np.float64]
) -> float:
    """Return the AUC over pairs of a positive and a negative of like length; NaN without any."""
    both = lengths[truth][:, None], lengths[~truth][None, :]
    like = np.minimum(*both) >= _LIKE * np.maximum(*both)
    difference = score[truth][:, None] - score[~truth][None, :]
    wins = (difference > 0) + 0.5 * (difference == 0)
    return float(wins[like].mean()) if like.any() else float("nan")


def _rated(replies: Sequence[Reply], ratings: Mapping[int, float], context: Context) -> Table:
    """Return how sessions' means go with the seeker's rating of empathy, whatever it is."""
    sessions = sorted(ratings.keys() & {r.session for r in replies})
    by_session = {s: [r for r in replies if r.session == s] for s in sessions}
    rated = np.array([ratings[s] for s in sessions])
    means = {
        "mean `empathy`": [np.mean([r.empathy for r in by_session[s]]) for s in sessions],
        "mean number of words": [np.mean([r.word_count for r in by_session[s]]) for s in sessions],
        "number of answers": [float(len(by_session[s])) for s in sessions],
    }
    rows = [
        (name, said(_correlation(np.array(values, float), rated, sessions, context)))
        for name, values in means.items()
    ]
    headings = ("of a session", f"Spearman's rho with the rating, n {len(sessions)}")
    return Table(headings, tuple(rows))


def _correlation(
    values: NDArray[np.float64],
    rated: NDArray[np.float64],
    sessions: Sequence[Hashable],
    context: Context,
) -> Estimate | None:
    def rho(rows: NDArray[np.int64]) -> float:
        if np.ptp(values[rows]) == 0 or np.ptp(rated[rows]) == 0:
            return float("nan")
        return float(spearmanr(values[rows], rated[rows]).statistic)

    return bootstrap(rho, sessions, seed=context.seed, rounds=context.rounds)


def _sentences(folder: Path) -> list[Sentence]:
    found: list[Sentence] = []
    for name in _SUPPORT:
        if not (folder / name).is_file():
            raise DataError(f"{name}: not there; MAIA-DQE is needed")
        dialogues = json.loads((folder / name).read_text(encoding="utf-8"))
        pairs = {d["id"]: _agent_pairs(d["turns"]) for d in dialogues}
        for dialogue in dialogues:
            others = {p for key, own in pairs.items() if key != dialogue["id"] for p in own}
            turns = dialogue["turns"]
            for place, turn in enumerate(turns):
                if turn["floor"] != "outbound":
                    continue
                for text, label in zip(turn["text_src"], turn["Templated"], strict=False):
                    own = word_pairs(text)
                    if own and label is not None:
                        seen = sum(pair in others for pair in own) / len(own)
                        count, at = len(text.split()), place / len(turns)
                        found.append(Sentence(dialogue["id"], label == 1, seen, count, at))
    return found


def _agent_pairs(turns: Sequence[Mapping[str, object]]) -> set[tuple[str, str]]:
    texts: list[str] = []
    for turn in turns:
        if turn["floor"] == "outbound":
            texts += turn["text_src"]  # type: ignore[arg-type]
    return {pair for text in texts for pair in word_pairs(text)}


def word_pairs(text: str) -> list[tuple[str, str]]:
    """Return each word of a text with the one after it."""
    words = spoken_text(text).words
    return list(pairwise(words))


def _templates(sentences: Sequence[Sentence], context: Context) -> Table:
    measures: dict[str, list[float]] = {
        "seen elsewhere": [s.seen for s in sentences],
        "number of words": [s.word_count for s in sentences],
        "place in the dialogue (early)": [-s.place for s in sentences],
    }
    truth = [s.is_templated for s in sentences]
    lengths = np.array([s.word_count for s in sentences], float)
    clusters = [s.dialogue for s in sentences]
    rows = []
    for name, values in measures.items():
        score = np.array(values, float)
        like = _like_length(np.array(truth), score, lengths, clusters, context)
        rows.append((name, said(estimated_auc(truth, values, clusters, context)), said(like)))
    return Table(("what ranks", "AUC", "AUC, like length"), tuple(rows))
