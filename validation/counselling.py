"""Counselling sessions: what was said utterance by utterance, and good sessions from bad (AnnoMI).

The measures of a session have the directions of the literature and equal weights. Eight were
written down before any session was scored; two came after (`Measure.came_later`), when sessions had
been scored with rules and with the annotators' labels, and so did the reading of reflections and
input in `Read`. Nothing is fitted to the sessions, and nothing made from them is shipped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from warmline.analysis import Moment
from warmline.engines import Engines
from warmline.language import TurnLanguage, score_turns
from warmline.language.passages import passages_of_texts
from warmline.language.reading import read_passages
from warmline.language.rulebook import Rulebook, rulebook
from warmline.language.uptake import uptake
from warmline.settings import LanguageSettings
from warmline.statistics import Estimate
from warmline.values import RoleName

from .context import Context
from .labelled import Session, Utterance, sessions
from .report import Headline, Picture, Section, Table
from .scores import auc, detection, estimated_auc, estimated_macro_f1, said

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEHAVIOURS = ("reflection", "question", "therapist_input", "other")
# What the house calls a moment -> what MITI calls input: information, advice, options.
_INPUT = frozenset({"solution", "next_step", "expectation", "commitment", "offer"})
# A statement of this many words that neither asks nor reflects gives information.
_INFORMS_WORDS = 10
_THERE = 0.5
_AGAINST = frozenset({"dismissive", "solution"})
_QUESTIONS = frozenset({"question_open", "question_closed"})


@dataclass(frozen=True)
class Read:
    """One therapist's utterance as the language room reads it, beside its labels."""

    session_id: str
    labels: Utterance
    kinds: frozenset[str]
    says_back: bool
    score: TurnLanguage
    uptake: float
    words: int

    @property
    def asks(self) -> bool:
        """Whether it asks anything."""
        return bool(self.kinds & _QUESTIONS)

    @property
    def reflects(self) -> bool:
        """Whether a rule finds it saying back, or it interprets (EPITOME) without asking."""
        interprets = (self.score.interpretation or 0.0) >= _THERE
        return self.says_back or (interprets and not self.asks)

    @property
    def informs(self) -> bool:
        """Whether it advises or informs: by a rule, or by saying much that is nothing else."""
        says_much = self.words >= _INFORMS_WORDS and not self.asks and not self.reflects
        return says_much or bool(self.kinds & _INPUT)

    @property
    def behaviour(self) -> int:
        """The main behaviour, as a place in `BEHAVIOURS`: the most telling of what was found."""
        if self.reflects:
            return 0
        if self.asks:
            return 1
        return 2 if self.informs else 3


@dataclass(frozen=True, eq=False)
class ReadSession:
    """A session's therapist utterances as they were read, and how much the client said."""

    session: Session
    therapist: tuple[Read, ...]
    client_words: int


@dataclass(frozen=True)
class Measure:
    """A measure of a session, whether more of it is better, and who says so."""

    name: str
    direction: int
    source: str
    value: Callable[[ReadSession], float | None]
    came_later: bool = False


def _rate(found: int, of: int) -> float | None:
    return found / of if of else None


def _count(session: ReadSession, kinds: frozenset[str]) -> int:
    return sum(bool(r.kinds & kinds) for r in session.therapist)


def _reflections(session: ReadSession) -> int:
    return sum(r.reflects for r in session.therapist)


def _mean(session: ReadSession, name: str) -> float | None:
    values = [v for r in session.therapist if not np.isnan(v := getattr(r, name))]
    return float(np.mean(values)) if values else None


def _talk_share(session: ReadSession) -> float | None:
    own = sum(r.words for r in session.therapist)
    return _rate(own, own + session.client_words)


MEASURES = (
    Measure(
        "reflections : questions",
        1,
        "MITI 4.2.1 (fair 1:1, good 2:1)",
        lambda s: _rate(_reflections(s), _reflections(s) + _count(s, _QUESTIONS)),
    ),
    Measure(
        "open questions of all questions",
        1,
        "MITI 3.1.1 (fair 50 %, good 70 %)",
        lambda s: _rate(
            _count(s, frozenset({"question_open"})),
            _count(s, frozenset({"question_open"})) + _count(s, frozenset({"question_closed"})),
        ),
    ),
    Measure(
        "reflections per utterance",
        1,
        "MITI 4.2.1; Moyers & Miller 2013",
        lambda s: _rate(_reflections(s), len(s.therapist)),
    ),
    Measure("therapist's share of the words", -1, "Miller & Rollnick 2013", _talk_share),
    Measure(
        "affirming and naming feelings, per utterance",
        1,
        "MITI 4.2.1 (affirm); Elliott et al. 2018",
        lambda s: _rate(_count(s, frozenset({"affective"})), len(s.therapist)),
    ),
    Measure(
        "taking the client's view, per utterance",
        1,
        "Elliott et al. 2018; Clark et al. 2013",
        lambda s: _rate(_count(s, frozenset({"cognitive", "attentive"})), len(s.therapist)),
    ),
    Measure(
        "confronting, or solving for the client, per utterance",
        -1,
        "MITI 4.2.1 (confront, persuade); Apodaca & Longabaugh 2009",
        lambda s: _rate(_count(s, _AGAINST), len(s.therapist)),
    ),
    Measure(
        "information and advice, per utterance",
        -1,
        "MITI 4.2.1 (persuade, give information); Magill et al. 2018",
        lambda s: _rate(sum(r.informs for r in s.therapist), len(s.therapist)),
        came_later=True,
    ),
    Measure("uptake, mean", 1, "Demszky et al. 2021", lambda s: _mean(s, "uptake"), True),
    Measure(
        "empathy score, mean",
        1,
        "Elliott et al. 2018",
        lambda s: float(np.mean([r.score.empathy or 0.0 for r in s.therapist])),
    ),
)


def validate_counselling(context: Context) -> Section:
    """Reflection, question, input for each utterance; good sessions from bad."""
    context.say("counselling sessions: AnnoMI")
    engines = Engines.from_settings(context.settings)
    read = [read_session(session, engines) for session in sessions(context.data)]
    said_by_therapists = [r for session in read for r in session.therapist]
    good = [s.session.is_good for s in read]
    names = [s.session.session_id for s in read]
    scores = composite(read, [m for m in MEASURES if not m.came_later])
    area = estimated_auc(good, list(scores), names, context)
    wider = estimated_auc(good, list(composite(read, MEASURES)), names, context)
    main = _main_behaviour(said_by_therapists, context)
    known = [r for r in said_by_therapists if not np.isnan(r.uptake)]
    taken_up = estimated_auc(
        [r.labels.reflects for r in known],
        [r.uptake for r in known],
        [r.session_id for r in known],
        context,
    )
    heads = [
        Headline("reflection, question, input, other: macro-F1", "AnnoMI utterances", main)
        for main in (main,)
        if main is not None
    ]
    heads += [
        Headline("good from bad sessions, AUC", "AnnoMI sessions", area, 0.85)
        for area in (area,)
        if area is not None
    ]
    return Section(
        "Counselling: reflections, questions, and good from bad sessions",
        (
            f"AnnoMI (Wu et al. 2022): {len(read)} sessions, {sum(good)} shown as good practice "
            f"and {len(good) - sum(good)} as bad; {len(said_by_therapists)} utterances of "
            "therapists, labels by majority of their annotators. Counselling is not customer "
            "service, but its labels are by experts. The data are only read here: nothing that is "
            "shipped was trained on them. Intervals draw whole sessions.",
            _behaviour_table(said_by_therapists, context),
            "Uptake, the fit of an utterance to what the client said right before it above its fit "
            f"to all else the client said: AUC {said(taken_up)} for reflections against the rest.",
            "Good sessions from bad: measures and directions from the literature, each as the "
            "session's rank among the sessions, equal weights, nothing fitted. A measure that "
            "cannot be said has the middle rank. **What was fixed when:** the measures without a "
            "mark were written down before any session was scored. Those with *later* were added, "
            "and how reflections and input are read was changed, after sessions had been scored "
            "by rules alone and by the annotators' labels; so they are no test of a prediction.",
            _measure_table(read, good, context),
            f"The measures without a mark together: AUC {said(area)}; all: {said(wider)}. With "
            "the annotators' reflections, questions and input in the place of those that were "
            "found (reflections : questions, reflections and input per utterance, and the share "
            f"of the words), the same procedure gives {said(_by_people(read, good, context))}. The "
            "difference is what the detectors miss: a statement about the client that confronts "
            "is hard to tell from one that reflects.",
            Picture(
                "counselling-sessions",
                "The mean rank of the measures, session by session.",
                lambda axes: _draw(axes, np.array(good), scores),
                (6.4, 2.4),
            ),
        ),
        tuple(heads),
    )


def read_session(session: Session, engines: Engines) -> ReadSession:
    """A session read as a call is: the therapist as the agent, the client as the customer."""
    roles = [RoleName.AGENT if u.is_therapist else RoleName.CUSTOMER for u in session.utterances]
    turns = [(role, u.text) for role, u in zip(roles, session.utterances, strict=True)]
    told = [{"speaker": role.value, "text": text} for role, text in turns]
    scores = score_turns(told, engines=engines)
    moments: dict[int, list[Moment]] = {}
    for moment in read_passages(passages_of_texts(turns), _book()):
        moments.setdefault(moment.turn_index, []).append(moment)
    taken_up = _uptake(session, engines)
    therapist = tuple(
        Read(
            session.session_id,
            utterance,
            frozenset(m.kind for m in moments.get(index, ())),
            any(m.label == "reflection" for m in moments.get(index, ())),
            scores[index],
            taken_up.get(index, float("nan")),
            len(utterance.text.split()),
        )
        for index, utterance in enumerate(session.utterances)
        if utterance.is_therapist
    )
    client = sum(len(u.text.split()) for u in session.utterances if not u.is_therapist)
    return ReadSession(session, therapist, client)


def _uptake(session: Session, engines: Engines) -> dict[int, float]:
    """Uptake of every therapist's utterance, by its place, of what the client said right before."""
    places, replies, before = [], [], []
    client = ""
    for place, utterance in enumerate(session.utterances):
        if not utterance.is_therapist:
            client = utterance.text
        elif client.strip():
            places.append(place)
            replies.append(utterance.text)
            before.append(client)
    found = uptake(replies, before, engines) if replies else np.zeros(0)
    return dict(zip(places, found.tolist(), strict=True))


def composite(read: Sequence[ReadSession], measures: Sequence[Measure]) -> NDArray[np.float64]:
    """The mean over measures of a session's rank, 0 (worst) to 1; see the report."""
    placed = np.array([ranks(read, measure) for measure in measures])
    return np.asarray(placed.mean(axis=0), np.float64)


def ranks(read: Sequence[ReadSession], measure: Measure) -> NDArray[np.float64]:
    """Every session's rank by one measure, 0 (worst) to 1; 0.5 where it cannot be said."""
    values = [measure.value(session) for session in read]
    known = [measure.direction * v for v in values if v is not None]
    placed = iter((rankdata(known) - 1) / max(1, len(known) - 1) if known else ())
    return np.array([0.5 if v is None else next(placed) for v in values])


@cache
def _book() -> Rulebook:
    return rulebook(LanguageSettings())


def _main_behaviour(read: Sequence[Read], context: Context) -> Estimate | None:
    known = [r for r in read if r.labels.behaviour in BEHAVIOURS]
    return estimated_macro_f1(
        [BEHAVIOURS.index(r.labels.behaviour or "") for r in known],
        [r.behaviour for r in known],
        len(BEHAVIOURS),
        [r.session_id for r in known],
        context,
    )


def _behaviour_table(read: Sequence[Read], context: Context) -> Table:
    clusters = [r.session_id for r in read]
    found = {
        "reflection": ([r.labels.reflects for r in read], [r.reflects for r in read]),
        "question": ([r.labels.asks for r in read], [r.asks for r in read]),
        "input": ([r.labels.informs for r in read], [r.informs for r in read]),
    }
    rows = []
    for name, (truth, ours) in found.items():
        one = detection(truth, ours, clusters, context)
        rows.append((name, str(one.positives), said(one.precision), said(one.recall), said(one.f1)))
    rows.append(
        (
            *("macro-F1 of the main behaviour (four classes)", str(len(read)), "", ""),
            said(_main_behaviour(read, context)),
        )
    )
    headings = ("behaviour", "utterances with it", "precision", "recall", "F1")
    return Table(headings, tuple(rows))


def _measure_table(read: Sequence[ReadSession], good: Sequence[bool], context: Context) -> Table:
    rows = []
    for measure in MEASURES:
        known = sum(measure.value(s) is not None for s in read)
        alone = estimated_auc(
            good, list(ranks(read, measure)), [s.session.session_id for s in read], context
        )
        rows.append(
            (
                measure.name + (" (*later*)" if measure.came_later else ""),
                *("more" if measure.direction > 0 else "less", measure.source),
                *(str(known), said(alone)),
            )
        )
    headings = ("measure", "better is", "source", "sessions", "AUC alone")
    return Table(headings, tuple(rows))


def _by_people(
    read: Sequence[ReadSession], good: Sequence[bool], context: Context
) -> Estimate | None:
    """The session AUC of four of the measures, made of people's labels of the utterances."""
    rows = []
    for s in read:
        n = len(s.therapist)
        reflections = sum(r.labels.reflects for r in s.therapist)
        questions = sum(r.labels.asks for r in s.therapist)
        informs = sum(r.labels.informs for r in s.therapist)
        balance = _rate(reflections, reflections + questions)
        rows.append((0.5 if balance is None else balance, reflections / n, -informs / n))
    placed = [(rankdata(column) - 1) / (len(rows) - 1) for column in zip(*rows, strict=True)]
    placed.append(ranks(read, next(m for m in MEASURES if m.value is _talk_share)))
    clusters = [s.session.session_id for s in read]
    return estimated_auc(good, list(np.mean(placed, axis=0)), clusters, context)


def _draw(axes: "Axes", good: NDArray[np.bool_], scores: NDArray[np.float64]) -> None:
    rng = np.random.default_rng(0)
    for y, group, colour in ((1, good, "#1b6ca8"), (0, ~good, "#d1793b")):
        lift = rng.uniform(-0.18, 0.18, int(group.sum()))
        axes.plot(scores[group], y + lift, "o", color=colour, alpha=0.6, markersize=4)
    axes.set_yticks([0, 1], [f"bad ({int((~good).sum())})", f"good ({int(good.sum())})"])
    axes.set(xlabel=f"mean rank of the measures (AUC {auc(good, scores):.3f})", ylim=(-0.5, 1.5))
