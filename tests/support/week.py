"""A small week of calls, for questions whose answers were worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support.factories import (
    NO_ROLES,
    call,
    cue,
    definitions_of,
    measured,
    moment,
    sha,
    without_analysis,
)
from support.marked import evaluation
from warmline import landing
from warmline.analysis import (
    CallAnalysis,
    FloorTransfer,
    Metric,
    Opportunity,
    Overlap,
    Quote,
    Silence,
    rate,
)
from warmline.landing.feedback import LandedEvaluation, Review, write_evaluation, write_review
from warmline.query.questions import QueryResult
from warmline.values import RoleName, Span, SpeakerSource
from warmline.warehouse.publishing import publish


def day(number: int, hour: int = 9) -> datetime:
    """A day of November 2026, UTC; the 16th is a Monday."""
    return datetime(2026, 11, number, hour, tzinfo=UTC)


def ledger(cues: list[Opportunity], **more: float) -> list[Metric]:
    """The measures that belong to these cues, and more by name."""
    answerable = [c for c in cues if c.answer is not None]
    good = [c for c in answerable if c.answer in ("affective", "attentive", "cognitive")]
    return [
        measured("opportunities", None, float(len(cues))),
        rate("answered_rate", None, len(good), len(answerable), no_answer="no cue"),
        *(measured(name, None, value) for name, value in more.items()),
    ]


def talk(agent_s: float, customer_s: float) -> list[Metric]:
    """How much either of them speaks."""
    both = agent_s + customer_s
    return [
        measured("talk_s", "B", agent_s),
        measured("talk_s", "A", customer_s),
        measured("talk_share", "B", agent_s / both),
        measured("talk_share", "A", customer_s / both),
    ]


def stolen_card() -> CallAnalysis:
    """Two fears ignored, an offer behind them, a silence, an interruption, an item re-asked."""
    says = [
        ("B", 0.0, 2.0, "how can I help"),
        ("A", 2.5, 14.0, "my card was stolen and I am afraid they empty my account"),
        ("B", 13.5, 18.0, "what is your account number"),
        ("A", 25.0, 30.0, "I am so worried about my rent"),
        ("B", 30.6, 36.0, "would you like our premium card"),
        ("A", 36.5, 38.0, "no"),
        ("B", 39.0, 42.0, "sorry what was your account number"),
    ]
    cues = [
        cue(1, 8.0, 14.0, "I am afraid", strength=0.9, answer="ignored"),
        cue(3, 25.0, 30.0, "I am so worried", strength=0.7, answer="dismissed"),
    ]
    return call(
        "stolen-card",
        says=says,
        cues=cues,
        moments=[
            moment("offer", 4, 30.6, 36.0, "would you like our premium card"),
            moment("apology", 6, 39.0, 39.5, "sorry"),
            moment("reask", 6, 39.5, 42.0, "what was your account number", label="account_number"),
        ],
        quotes=[Quote(8.0, 14.0, 1, "I am afraid they empty my account", "fear_anxiety")],
        overlaps=[
            Overlap(13.5, 14.0, "A", "B", "interruption", True, False),
            Overlap(29.5, 30.0, "A", "B", "interruption", False, True),
        ],
        silences=[Silence(18.0, 25.0, "dead_air"), Silence(50.0, 53.0, "dead_air")],
        transfers=[FloorTransfer(30.6, "A", "B", 0.6), FloorTransfer(39.0, "A", "B", 1.0)],
        metrics=[
            *ledger(cues, dead_air_s=10.0),
            *talk(15.0, 20.0),
            Metric("silent_dissatisfaction", None, 1.0, evidence=(Span(8, 14), Span(25, 30))),
            measured("interruptions", "B", 2.0),
            measured("competitive_interruptions", "B", 1.0),
            measured("interruptions", "A", 0.0),
            measured("reasks", "B", 1.0),
            measured("hostile", "A", 0.0),
            Metric("late_apologies", "B", 1.0, evidence=(Span(39.0, 39.5),)),
        ],
        agent_id="ann",
        team="red",
        queue="cards",
        customer_id="c1",
        started_at=day(16),
        reason="fraud",
    )


def angry_bill() -> CallAnalysis:
    """Two feelings, both answered well by Bob; the customer is hostile and interrupts."""
    says = [
        ("B", 0.0, 2.0, "how can I help"),
        ("A", 3.0, 9.0, "I am furious about this stupid bill"),
        ("B", 9.4, 15.0, "I see why that makes you angry"),
        ("A", 15.5, 20.0, "and I am confused"),
        ("B", 20.2, 26.0, "let me see whether I have it right"),
    ]
    cues = [
        cue(
            *(1, 3.0, 9.0, "I am furious", "anger_frustration"),
            answer="affective",
            level=2,
            answer_turn_index=2,
            latency_s=0.4,
            strength=1.0,
        ),
        cue(
            *(3, 15.5, 20.0, "I am confused", "confusion_powerlessness"),
            answer="attentive",
            level=1,
            answer_turn_index=4,
            latency_s=0.2,
        ),
    ]
    return call(
        "angry-bill",
        says=says,
        cues=cues,
        moments=[
            moment("hostile", 1, 3.0, 9.0, "stupid", party="A", role=RoleName.CUSTOMER),
        ],
        quotes=[Quote(3.0, 9.0, 1, "I am furious about this stupid bill", "anger_frustration")],
        overlaps=[Overlap(4.0, 5.0, "A", "B", "backchannel", None, None)],
        transfers=[FloorTransfer(9.4, "A", "B", 0.4), FloorTransfer(20.2, "A", "B", 0.2)],
        metrics=[
            *ledger(cues, dead_air_s=0.0, resolution=1.0, silent_dissatisfaction=0.0),
            *talk(20.0, 20.0),
            measured("interruptions", "B", 1.0),
            measured("competitive_interruptions", "B", 0.0),
            measured("interruptions", "A", 2.0),
            measured("reasks", "B", 0.0),
            measured("hostile", "A", 1.0),
            measured("heated_turns", "A", 1.0),
            measured("steadiness_level_db", "B", -0.5),
        ],
        agent_id="bob",
        team="red",
        queue="billing",
        customer_id="c2",
        started_at=day(17),
        reason="bill",
        duration_s=120.0,
    )


def plain(name: str, number: int, **changes: Any) -> CallAnalysis:
    """A call in which nothing much happens."""
    settled: dict[str, Any] = {
        "metrics": [*ledger([]), *talk(20.0, 20.0), measured("hostile", "A", 0.0)],
        "agent_id": "bob",
        "team": "red",
        "queue": "billing",
        "started_at": day(number),
    }
    return call(name, **{**settled, **changes})


def trained(name: str, number: int, answered: int, cues: int) -> CallAnalysis:
    """A call of Cat's with so many cues answered."""
    found = [
        cue(1, 2.5, 5.0, "worried", answer="affective" if i < answered else "ignored")
        for i in range(cues)
    ]
    return plain(name, number, agent_id="cat", cues=found, metrics=ledger(found), queue="cat")


WEEK = (
    stolen_card(),
    angry_bill(),
    plain("again", 18, customer_id="c1", queue="cards", reason="fraud"),
    plain("monologue", 18, metrics=[*ledger([]), *talk(39.0, 1.0)]),
    plain("usual", 18, metrics=[*ledger([]), *talk(21.0, 19.0)]),
    plain("much-later", 30, customer_id="c1"),
    trained("before", 2, 2, 12),
    trained("after", 12, 11, 12),
    call(
        "two-voices",
        roles=NO_ROLES,
        source=SpeakerSource.DIARIZATION,
        started_at=day(19),
        says=[("A", 0.0, 2.0, "yes"), ("B", 2.5, 5.0, "no")],
    ),
    without_analysis("empty"),
    without_analysis("noise", code="not_audio", reason="the file is no sound"),
    without_analysis("empty-too"),
)


def judged(
    reviewer: str, verdict: str, call_id: str, *subject: Any, should_be: str | None = None
) -> Review:
    """A review of `stolen-card` or `angry-bill`; `subject` are the fields that find it again."""
    return Review(
        day(20),
        reviewer,
        call_id,
        f"analyses/{sha(call_id)}",
        *subject,
        verdict,
        should_be,
        "heard",
    )


FEAR = ("cue", "fear_anxiety", None, 8.0, 14.0, "ignored")
WORRY = ("cue", "fear_anxiety", None, 25.0, 30.0, "dismissed")
ANGER = ("cue", "anger_frustration", None, 3.0, 9.0, "affective")
REASKS = ("metric", "reasks", "agent", None, None, "1.0")
REVIEWS = (
    judged("kim", "wrong", "stolen-card", *FEAR, should_be="attentive"),
    judged("kim", "wrong", "stolen-card", *WORRY),
    judged("lee", "right", "stolen-card", *WORRY),
    judged("lee", "right", "angry-bill", *ANGER),
    judged("lee", "wrong", "stolen-card", *REASKS, should_be="0"),
)


def scored(evaluator: str, call_id: str, **changes: Any) -> LandedEvaluation:
    """An evaluation of a call with two questions of weight 1 and 3, the second answered no."""
    meant = next(each for each in WEEK if each.metadata.call_id == call_id)
    return replace(evaluation(meant, "not heard"), evaluator=evaluator, **changes)


EVALUATIONS = (
    scored("kim", "stolen-card"),
    scored("kim", "angry-bill", score=1.0, points=4.0, evaluated_at=day(19)),
    scored("kim", "angry-bill", score=0.25, given_by="lea", status="overturned"),
    scored("lee", "stolen-card", score=0.75, calibration_id=1),
)


def columns(answer: QueryResult, *names: str) -> list[Any]:
    """Some columns of an answer; one name gives plain values."""
    places = [answer.columns.index(name) for name in names]
    found = [tuple(row[place] for place in places) for row in answer.rows]
    return [row[0] for row in found] if len(names) == 1 else found


def publish_week(folder: Path) -> Path:
    """Land and publish the week and its reviews; returns the warehouse."""
    for analysis in WEEK:
        landing.write(analysis, folder / "landing")
    for review in REVIEWS:
        write_review(review, folder / "landing")
    for each in EVALUATIONS:
        write_evaluation(each, folder / "landing")
    publish(folder / "landing", folder / "week.duckdb", definitions_of(WEEK))
    return folder / "week.duckdb"
