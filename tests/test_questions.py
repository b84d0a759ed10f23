"""Every named query on a small week of calls whose answers were worked out by hand."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer
from typer.testing import CliRunner

from factories import (
    NO_ROLES,
    call,
    cue,
    definitions_of,
    measured,
    moment,
    not_analyzed,
    sha,
)
from warmline import landing
from warmline.analysis import CallAnalysis, FloorTransfer, Opportunity, Overlap, Quote, Silence
from warmline.cli.query import check, query
from warmline.errors import QueryError, WarehouseError
from warmline.landing.reviews import Review, write_review
from warmline.metrics import Metric, rate
from warmline.questions import Answer, ask, ask_named, named_queries
from warmline.values import RoleName, Span, SpeakerSource
from warmline.warehouse import publish


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
    not_analyzed("empty"),
    not_analyzed("noise", code="not_audio", reason="the file is no sound"),
    not_analyzed("empty-too"),
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


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("week")
    for analysis in WEEK:
        landing.write(analysis, folder / "landing")
    for review in REVIEWS:
        write_review(review, folder / "landing")
    publish(folder / "landing", folder / "week.duckdb", definitions_of(WEEK))
    return folder / "week.duckdb"


def columns(answer: Answer, *names: str) -> list[Any]:
    """Some columns of an answer; one name gives plain values."""
    places = [answer.columns.index(name) for name in names]
    found = [tuple(row[place] for place in places) for row in answer.rows]
    return [row[0] for row in found] if len(names) == 1 else found


# The named queries


def test_unanswered_cues(warehouse: Path) -> None:
    answer = ask_named(warehouse, "unanswered_cues", {"since": "2026-11-16", "until": "2026-11-23"})
    assert columns(answer, "call_id", "customer_words", "answer", "clip_start_s") == [
        ("stolen-card", "I am afraid", "ignored", 6.0),
        ("stolen-card", "I am so worried", "dismissed", 23.0),
    ]
    assert len(ask_named(warehouse, "unanswered_cues", {"agent": "cat"}).rows) == 11
    assert not ask_named(warehouse, "unanswered_cues", {"kind": "anger_frustration"}).rows


def test_calls_to_listen_to(warehouse: Path) -> None:
    answer = ask_named(warehouse, "calls_to_listen_to", {"each": 1, "since": date(2026, 11, 16)})
    assert columns(answer, "pile", "place", "call_id", "answered_rate", "listen_at_s") == [
        ("worst", 1, "stolen-card", 0.0, [8.0, 25.0]),
        ("best", 1, "angry-bill", 1.0, [3.0, 15.5]),
    ]


def test_answered_rate_before_after(warehouse: Path) -> None:
    answer = ask_named(warehouse, "answered_rate_before_after", {"day": "2026-11-10"})
    (row,) = columns(answer, "agent_id", "cues_before", "cues_after", "difference", "rose")
    assert row == ("cat", 12, 12, pytest.approx(9 / 12), True)
    # Newcombe's method 10 for 11/12 and 2/12, from Wilson's (0.6461, 0.9851) and (0.0470, 0.4480)
    assert columns(answer, "difference_low", "difference_high") == [
        (pytest.approx(0.3596, abs=1e-3), pytest.approx(0.8878, abs=1e-3))
    ]
    assert not ask_named(
        warehouse, "answered_rate_before_after", {"day": "2026-11-10", "min_cues": 13}
    ).rows


def test_interruptions_of_the_story(warehouse: Path) -> None:
    answer = ask_named(warehouse, "interruptions_of_the_story")
    assert columns(answer, "call_id", "at_s", "customer_gave_way", "turn_s") == [
        ("stolen-card", 13.5, True, 11.5)
    ]
    assert not ask_named(warehouse, "interruptions_of_the_story", {"first_share": 0.1}).rows


def test_longest_dead_air(warehouse: Path) -> None:
    answer = ask_named(warehouse, "longest_dead_air")
    assert columns(answer, "silence_s", "spoke_before", "words_before", "words_after") == [
        (7.0, "agent", "what is your account number", "I am so worried about my rent"),
        (3.0, "agent", "sorry what was your account number", None),
    ]
    assert len(ask_named(warehouse, "longest_dead_air", {"n": 1}).rows) == 1


def test_reasked_information(warehouse: Path) -> None:
    answer = ask_named(warehouse, "reasked_information")
    assert columns(
        answer, "queue", "item", "reasks", "calls_measured", "share_of_calls", "example_at_s"
    ) == [("cards", "account_number", 1, 1, 1.0, 39.5)]


def test_offers_after_unanswered_cues(warehouse: Path) -> None:
    answer = ask_named(warehouse, "offers_after_unanswered_cues")
    assert columns(answer, "call_id", "cue_at_s", "offer_at_s") == [
        ("stolen-card", 8.0, 30.6),
        ("stolen-card", 25.0, 30.6),
    ]
    near = ask_named(warehouse, "offers_after_unanswered_cues", {"turns": 1})
    assert columns(near, "cue_at_s") == [25.0]


def test_silent_dissatisfaction(warehouse: Path) -> None:
    answer = ask_named(warehouse, "silent_dissatisfaction")
    assert columns(answer, "call_id", "signs_at_s", "last_sign_at_s") == [
        ("stolen-card", [8.0, 25.0], 25.0)
    ]


def test_calibration_sample(warehouse: Path) -> None:
    answer = ask_named(warehouse, "calibration_sample", {"per_stratum": 2})
    assert columns(answer, "stratum", "draw", "calls_in_stratum", "chance") == [
        *(("billing", i, 4, 0.5) for i in (1, 2)),
        *(("cards", i, 2, 1.0) for i in (1, 2)),
        *(("cat", i, 2, 1.0) for i in (1, 2)),
        ("unknown", 1, 1, 1.0),
    ]
    assert ask_named(warehouse, "calibration_sample", {"per_stratum": 2}) == answer
    draws = {
        tuple(columns(ask_named(warehouse, "calibration_sample", {"seed": seed}), "call_id"))
        for seed in range(8)
    }
    assert len(draws) > 1
    strata = ask_named(warehouse, "calibration_sample", {"by": "answered"})
    assert set(columns(strata, "stratum")) == {"mostly", "rarely", "no cue"}
    with pytest.raises(QueryError, match="by: mood is not queue, team"):
        ask_named(warehouse, "calibration_sample", {"by": "mood"})


def test_calls_without_roles(warehouse: Path) -> None:
    answer = ask_named(warehouse, "calls_without_roles")
    assert columns(answer, "call_id", "no_ledger_reason", "what_is_known") == [
        ("two-voices", "roles unknown", "A: said so; B: said so")
    ]


def test_failures_by_reason(warehouse: Path) -> None:
    answer = ask_named(warehouse, "failures_by_reason")
    assert columns(answer, "reason_code", "recordings", "example") == [
        ("empty_file", 2, "/calls/empty.wav"),
        ("not_audio", 1, "/calls/noise.wav"),
    ]


def test_talk_share_outliers(warehouse: Path) -> None:
    answer = ask_named(warehouse, "talk_share_outliers")
    # shares 15/35, 0.5, 0.5, 0.5, 21/40, 39/40: quartiles 0.5 and 0.51875, fences 0.47 and 0.55
    assert columns(answer, "call_id", "what", "usual_talk_share") == [
        ("monologue", "talks much", 0.5),
        ("stolen-card", "talks little", 0.5),
    ]


def test_agent_latency(warehouse: Path) -> None:
    answer = ask_named(warehouse, "agent_latency", {"min_pauses": 2})
    assert columns(answer, "agent_id", "pauses", "latency_median_s", "longest_call_id") == [
        ("ann", 2, pytest.approx(0.8), "stolen-card"),
        ("bob", 2, pytest.approx(0.3), "angry-bill"),
    ]
    assert not ask_named(warehouse, "agent_latency").rows


def test_interruptions_by_agent(warehouse: Path) -> None:
    answer = ask_named(warehouse, "interruptions_by_agent")
    assert columns(
        answer, "agent_id", "interruptions_per_min", "competitive_per_min", "by_customers_per_min"
    ) == [
        ("ann", pytest.approx(6.0), pytest.approx(3.0), 0.0),
        ("bob", pytest.approx(3.0), 0.0, pytest.approx(6.0)),
    ]


def test_answers_by_kind(warehouse: Path) -> None:
    answer = ask_named(warehouse, "answers_by_kind", {"since": "2026-11-16"})
    assert columns(answer, "kind", "answer", "cues", "share", "latency_median_s") == [
        ("anger_frustration", "affective", 1, 1.0, 0.4),
        ("confusion_powerlessness", "attentive", 1, 1.0, 0.2),
        ("fear_anxiety", "dismissed", 1, 0.5, None),
        ("fear_anxiety", "ignored", 1, 0.5, None),
    ]


def test_best_moments(warehouse: Path) -> None:
    answer = ask_named(warehouse, "best_moments")
    assert columns(answer, "call_id", "level", "clip_start_s", "clip_end_s", "path") == [
        ("angry-bill", 2, 1.0, 11.0, "/calls/angry-bill.wav")
    ]


def test_repeat_contacts(warehouse: Path) -> None:
    answer = ask_named(warehouse, "repeat_contacts")
    assert columns(answer, "customer_id", "calls", "contact_reasons", "call_ids") == [
        ("c1", 2, ["fraud"], ["stolen-card", "again"])
    ]
    longer = ask_named(warehouse, "repeat_contacts", {"days": 14})
    assert columns(longer, "calls") == [3]


def test_hostile_exposure(warehouse: Path) -> None:
    answer = ask_named(warehouse, "hostile_exposure")
    assert columns(answer, "agent_id", "calls", "hostile_calls", "hostile_minutes") == [
        ("bob", 3, 1, 2.0)
    ]


def test_late_apologies(warehouse: Path) -> None:
    answer = ask_named(warehouse, "late_apologies")
    assert columns(answer, "call_id", "at_s", "position", "agent_words") == [
        ("stolen-card", 39.0, 0.65, "sorry")
    ]


def test_phrase(warehouse: Path) -> None:
    answer = ask_named(warehouse, "phrase", {"text": "Account Number", "role": "agent"})
    assert columns(answer, "call_id", "start_s") == [("stolen-card", 13.5), ("stolen-card", 39.0)]


def test_hard_to_hear(warehouse: Path) -> None:
    answer = ask_named(warehouse, "hard_to_hear", {"min_words": 31})
    assert columns(answer, "call_id", "word_count", "mean_probability", "dropped_words") == [
        ("stolen-card", 41, pytest.approx(0.9), 0)
    ]


def test_steadiness_under_heat(warehouse: Path) -> None:
    answer = ask_named(warehouse, "steadiness_under_heat")
    assert columns(answer, "call_id", "heated_turns", "agent_steadiness_level_db") == [
        ("angry-bill", 1.0, -0.5)
    ]


def test_customer_voice(warehouse: Path) -> None:
    answer = ask_named(warehouse, "customer_voice", {"cue": "fear_anxiety"})
    assert columns(answer, "call_id", "customer_words") == [
        ("stolen-card", "I am afraid they empty my account")
    ]
    assert columns(ask_named(warehouse, "customer_voice", {"queue": "billing"}), "call_id") == [
        "angry-bill"
    ]


def test_disputes(warehouse: Path) -> None:
    answer = ask_named(warehouse, "disputes")
    assert columns(answer, "name", "start_s", "machine_says", "verdict", "should_be") == [
        ("fear_anxiety", 8.0, "ignored", "wrong", "attentive"),
        ("fear_anxiety", 25.0, "dismissed", "disputed", None),
        ("reasks", None, "1.0", "wrong", "0"),
    ]
    assert columns(answer, "remarks")[1] == "kim: heard; lee: heard"
    assert len(ask_named(warehouse, "disputes", {"subject": "metric"}).rows) == 1
    assert not ask_named(warehouse, "disputes", {"agent": "bob"}).rows


def test_review_agreement(warehouse: Path) -> None:
    answer = ask_named(warehouse, "review_agreement")
    assert columns(answer, "subject", "name", "rows_reviewed", "reviews", "agreement") == [
        ("cue", "fear_anxiety", 2, 3, 0.25),  # one denied, one disputed
        ("cue", "anger_frustration", 1, 1, 1.0),
        ("metric", "reasks", 1, 1, 0.0),
    ]
    # Wilson for 1 of 1, by hand: (1 + 1.9208 - 1.96 * 0.98) / (1 + 3.8416)
    assert columns(answer, "agreement_low", "agreement_high")[1] == (
        *(pytest.approx(0.2065, abs=1e-4), 1.0),
    )
    assert len(ask_named(warehouse, "review_agreement", {"min_rows": 2}).rows) == 1


def test_every_named_query_is_tested_and_described() -> None:
    files = Path(__file__).parent.glob("test_*.py")
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    tested = set(re.findall(r"^def test_(\w+)\(", text, re.MULTILINE))
    queries = named_queries()
    assert len(queries) >= 15
    assert set(queries) <= tested
    for named in queries.values():
        used = set(re.findall(r"\$(\w+)", named.sql.split("\n", len(named.parameters) + 1)[-1]))
        assert used >= {p.name for p in named.parameters}, named.name
        assert all(p.meaning for p in named.parameters)
        assert named.description.endswith((".", "seconds.")), named.name


# What a question may not do


@pytest.mark.parametrize(
    "sql",
    [
        "COPY calls TO '{file}'",
        "COPY (SELECT 1) TO '{file}'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'",
        "EXPORT DATABASE '{file}'",
        "ATTACH '{file}'",
        "CREATE TABLE t AS SELECT 1",
        "CREATE TEMP TABLE t AS SELECT 1",
        "INSERT INTO calls SELECT * FROM calls",
        "DELETE FROM calls",
        "UPDATE calls SET path = ''",
        "DROP TABLE calls",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "CHECKPOINT",
        "SELECT 1; DROP TABLE calls",
        "SELECT * FROM read_csv('{own}')",
        "SELECT * FROM read_text('{own}')",
        "SELECT * FROM read_parquet('{own}')",
        "SELECT * FROM '{own}'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM sniff_csv('{own}')",
        "SELECT * FROM secret_rows",
        "SELECT getenv('HOME')",
    ],
)
def test_what_writes_or_reads_files_is_refused_in_one_line(
    warehouse: Path, tmp_path: Path, sql: str
) -> None:
    secret_rows = [(1,)]  # a Python variable is no table, either
    target = tmp_path / "out"
    before = warehouse.read_bytes()
    with pytest.raises(QueryError) as refused:
        ask(warehouse, sql.format(file=target, own=__file__))
    assert "\n" not in str(refused.value)
    assert not target.exists()
    assert warehouse.read_bytes() == before
    assert secret_rows


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT agnt_id FROM calls", r'"agnt_id" not found.*"agent_id"'),
        ("SELECT * FROM cals", r"cals does not exist.*calls"),
        ("SELCT 1", r'syntax error at or near "SELCT"'),
        ("SELECT $a", r"parameter \$a has no value"),
        ("", r"one statement at a time; this has 0"),
        ("SELECT 1; SELECT 2", r"one statement at a time; this has 2"),
        ("SELECT 'x'::INTEGER", r"Could not convert string 'x'"),
    ],
)
def test_a_wrong_query_is_explained_in_one_line(warehouse: Path, sql: str, said: str) -> None:
    with pytest.raises(QueryError, match=said) as wrong:
        ask(warehouse, sql)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("unanswered_cus", {}, "no query is named 'unanswered_cus'; did you mean unanswered_cues"),
        ("phrase", {}, "phrase: parameter text must be given: the phrase"),
        ("phrase", {"txt": "x"}, r"no parameter 'txt'; did you mean text\? \(it has text, role"),
        ("phrase", {"text": "x", "since": "soon"}, "since = 'soon' is not a DATE"),
        ("phrase", {"text": ["x"]}, "parameter text: a list cannot be a parameter"),
    ],
)
def test_a_wrong_name_or_parameter_is_explained(
    warehouse: Path, name: str, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        ask_named(warehouse, name, parameters)


def test_parameters_are_values_and_never_sql(warehouse: Path) -> None:
    odd = "x'); DROP TABLE calls; --"
    values = {"a": odd, "b": None, "c": 1, "d": 1.5, "e": date(2026, 1, 2), "f": True}
    answer = ask(warehouse, "SELECT $a, $b, $c, $d, $e, $f", values)
    assert answer.rows == ((odd, None, 1, 1.5, date(2026, 1, 2), True),)
    moment_given = datetime(2026, 1, 2, 3, 4, 5, 600)
    assert ask(warehouse, "SELECT $t", {"t": moment_given}).rows == ((moment_given,),)
    with pytest.raises(QueryError, match=r"no parameter \$b in the query"):
        ask(warehouse, "SELECT $a", {"a": 1, "b": 2})


def test_a_process_that_has_the_warehouse_open_can_ask_more_than_once(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as own:
        for _ in range(2):
            assert ask(warehouse, "SELECT 1").rows == ((1,),)
            with pytest.raises(QueryError):
                ask(warehouse, f"SELECT * FROM read_text('{__file__}')")
        assert own.execute("SELECT count(*) FROM calls").fetchone() == (len(WEEK),)


def test_an_answer_is_cut_at_the_limit_and_says_so(warehouse: Path) -> None:
    answer = ask(warehouse, "SELECT range AS i FROM range(10)", limit=3)
    assert answer == Answer(("i",), ("BIGINT",), ((0,), (1,), (2,)), True)
    assert not ask(warehouse, "SELECT 1", limit=1).truncated


def test_a_question_that_takes_too_long_is_stopped(warehouse: Path) -> None:
    with pytest.raises(QueryError, match=r"more than 0\.2 s and was stopped"):
        ask(
            warehouse,
            "SELECT count(*) FROM range(1000000000) AS a, range(1000000000) AS b",
            timeout_s=0.2,
        )


def test_a_missing_warehouse_is_named(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"none\.duckdb: no warehouse here"):
        ask(tmp_path / "none.duckdb", "SELECT 1")


def test_a_question_loads_nothing_heavy(warehouse: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from warmline.questions import ask_named; "
        f"ask_named(Path({str(warehouse)!r}), 'phrase', {{'text': 'card', 'n': 5}}); "
        "print([m for m in ('numpy', 'pandas', 'pyarrow', 'torch', 'prefect') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# The command line


@pytest.fixture
def shell(warehouse: Path) -> Iterator[Any]:
    app = typer.Typer()
    app.command()(query)
    app.command()(check)
    runner = CliRunner()

    def run(*words: str) -> Any:
        return runner.invoke(app, [*words, "--warehouse", str(warehouse)])

    yield run


def test_the_command_prints_csv_json_and_a_table(shell: Any) -> None:
    words = ("query", "customer_voice", "-p", "cue=fear_anxiety")
    assert shell(*words, "--csv").stdout.splitlines()[1] == (
        "stolen-card,2026-11-16 09:00:00,cards,fraud,fear_anxiety,"
        "I am afraid they empty my account,8.0,14.0,/calls/stolen-card.wav"
    )
    (row,) = json.loads(shell(*words, "--json").stdout)
    assert (row["call_id"], row["start_s"]) == ("stolen-card", 8.0)
    table = shell("query", "SELECT call_id, duration_s FROM calls WHERE call_id = 'angry-bill'")
    assert [line.split() for line in table.stdout.splitlines() if "angry" in line] == [
        ["angry-bill", "120"]
    ]


def test_the_command_lists_the_queries(shell: Any) -> None:
    listed = shell("query", "--list").stdout
    assert all(name in listed for name in named_queries())
    found = json.loads(shell("query", "--list", "--json").stdout)
    assert {entry["name"] for entry in found} == set(named_queries())


def test_the_command_keeps_formulas_out_of_spreadsheets(shell: Any) -> None:
    printed = shell("query", "SELECT '=1+1' AS said, -1 AS number", "--csv").stdout
    assert printed.splitlines() == ["said,number", "'=1+1,-1"]


def test_the_command_says_what_was_left_out(shell: Any) -> None:
    assert "only the first 1 rows" in shell("query", "FROM calls", "--limit", "1").output


def test_the_command_needs_a_question_and_pairs(shell: Any) -> None:
    assert shell("query").exit_code == 2
    assert isinstance(shell("query", "phrase", "-p", "text").exception, QueryError)


def test_the_check_command_passes_on_a_sound_warehouse(shell: Any) -> None:
    found = shell("check", "--json")
    assert found.exit_code == 0
    assert all(result["passed"] for result in json.loads(found.stdout))
    assert "failed" not in shell("check").stdout
