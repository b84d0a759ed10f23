"""Every named query on a small week of calls whose answers were worked out by hand."""

import re
from datetime import date
from pathlib import Path

import pytest

from support.factories import call, cue, definitions_of, moment
from support.firms import land_together
from support.warehouses import put
from support.week import columns, day, ledger
from warmline.analysis import CallAnalysis
from warmline.database import open_for_reading
from warmline.errors import QueryError
from warmline.query.questions import ask_named, named_queries
from warmline.values import RoleName
from warmline.warehouse.publishing import publish

SAYS = [
    ("B", 0.0, 2.0, "how can I help"),
    ("A", 2.5, 5.0, "I am afraid"),
    ("B", 6.0, 8.0, "what is your number"),
]


def test_unanswered_cues(week: Path) -> None:
    answer = ask_named(week, "unanswered_cues", {"since": "2026-11-16", "until": "2026-11-23"})
    assert columns(answer, "call_id", "customer_words", "answer", "clip_start_s") == [
        ("stolen-card", "my card was stolen and I am afraid they empty my account", "ignored", 6.0),
        ("stolen-card", "I am so worried about my rent", "dismissed", 23.0),
    ]
    assert columns(answer, "review_verdict", "review_should_be") == [
        ("wrong", "attentive"),
        ("disputed", None),
    ]
    assert len(ask_named(week, "unanswered_cues", {"agent": "cat"}).rows) == 11
    assert not ask_named(week, "unanswered_cues", {"kind": "anger_frustration"}).rows


@pytest.mark.parametrize(
    ("told", "found", "quoted"),
    [
        (
            "Good morning. I feel like nobody is on my side. Bye.",
            "I feel like nobody",
            "I feel like nobody is on my side.",
        ),
        (
            "It is the third time. Mr. Hall, I paid 3.50 and I am angry! So.",
            "the third time … I am angry",
            "It is the third time. Mr. Hall, I paid 3.50 and I am angry!",
        ),
        ("I said yes and no " * 20 + "and I am afraid", "I am afraid", "I am afraid"),
        ("It is on [address]. I am afraid.", "I'm afraid", "I'm afraid"),
    ],
)
def test_customers_are_quoted_by_the_sentence(
    tmp_path: Path, told: str, found: str, quoted: str
) -> None:
    cues = [cue(0, 0.0, 2.0, found)]
    says = [("A", 0.0, 9.0, told), ("B", 9.5, 12.0, "That is how it is.")]
    put(tmp_path, call("one", says=says, cues=cues, agent_id="ann", started_at=day(16)))
    asked = {"since": "2026-11-01", "until": "2026-12-01"}
    answer = ask_named(tmp_path / "w.duckdb", "unanswered_cues", asked)
    assert columns(answer, "customer_words") == [quoted]


def test_calls_to_listen_to(week: Path) -> None:
    answer = ask_named(week, "calls_to_listen_to", {"each": 1, "since": date(2026, 11, 16)})
    assert columns(answer, "pile", "place", "call_id", "answered_rate", "listen_at_s") == [
        ("worst", 1, "stolen-card", 0.0, [8.0, 25.0]),
        ("best", 1, "angry-bill", 1.0, [3.0, 15.5]),
    ]
    counts = columns(ask_named(week, "calls_to_listen_to", {"each": 50}), "answered", "answerable")
    alike = columns(ask_named(week, "calls_to_listen_to", {"each": 50}), "alike")
    assert alike == [counts.count(own) for own in counts]
    both = ask_named(week, "calls_to_listen_to", {"each": 50})
    for pile, place, answered, answerable in columns(
        both, "pile", "place", "answered", "answerable"
    ):
        assert answered < answerable if pile == "worst" else answered > 0, (pile, place)
    assert {pile for pile, *_ in columns(both, "pile", "place")} == {"worst", "best"}


def test_answered_rate_before_after(week: Path) -> None:
    answer = ask_named(week, "answered_rate_before_after", {"day": "2026-11-10"})
    (row,) = columns(answer, "agent_id", "cues_before", "cues_after", "difference", "reading")
    assert row == ("cat", 12, 12, pytest.approx(9 / 12), "higher after it; why is not told")
    # Newcombe's method 10 for 11/12 and 2/12, from Wilson's (0.6461, 0.9851) and (0.0470, 0.4480)
    assert columns(answer, "difference_low", "difference_high") == [
        (pytest.approx(0.3596, abs=1e-3), pytest.approx(0.8878, abs=1e-3))
    ]
    # 2 (11 ln(11/6.5) + ln(1/5.5) + 2 ln(2/6.5) + 10 ln(10/5.5)) is 15.45, the square of 3.93.
    assert columns(answer, "p_corrected") == [pytest.approx(8.5e-5, rel=0.05)]
    assert not ask_named(
        week, "answered_rate_before_after", {"day": "2026-11-10", "min_cues": 13}
    ).rows


def test_interruptions_of_the_story(week: Path) -> None:
    answer = ask_named(week, "interruptions_of_the_story")
    assert columns(answer, "call_id", "at_s", "customer_gave_way", "turn_s") == [
        ("stolen-card", 13.5, True, 11.5)
    ]
    assert not ask_named(week, "interruptions_of_the_story", {"first_share": 0.1}).rows


def test_longest_dead_air(week: Path) -> None:
    answer = ask_named(week, "longest_dead_air")
    assert columns(answer, "silence_s", "spoke_before", "words_before", "words_after") == [
        (7.0, "agent", "what is your account number", "I am so worried about my rent"),
        (3.0, "agent", "sorry what was your account number", None),
    ]
    assert len(ask_named(week, "longest_dead_air", {"n": 1}).rows) == 1


def test_reasked_information(week: Path) -> None:
    answer = ask_named(week, "reasked_information")
    assert columns(
        answer, "queue", "item", "reasks", "calls_measured", "share_of_calls", "example_at_s"
    ) == [("cards", "account_number", 1, 1, 1.0, 39.5)]


def test_offers_after_unanswered_cues(week: Path) -> None:
    answer = ask_named(week, "offers_after_unanswered_cues")
    assert columns(answer, "call_id", "cue_at_s", "offer_at_s") == [
        ("stolen-card", 8.0, 30.6),
        ("stolen-card", 25.0, 30.6),
    ]
    near = ask_named(week, "offers_after_unanswered_cues", {"turns": 1})
    assert columns(near, "cue_at_s") == [25.0]


def test_silent_dissatisfaction(week: Path) -> None:
    answer = ask_named(week, "silent_dissatisfaction")
    assert columns(answer, "call_id", "signs_at_s", "last_sign_at_s") == [
        ("stolen-card", [8.0, 25.0], 25.0)
    ]


def test_calibration_sample(week: Path) -> None:
    answer = ask_named(week, "calibration_sample", {"per_stratum": 2})
    assert columns(answer, "stratum", "draw", "calls_in_stratum", "chance") == [
        *(("billing", i, 4, 0.5) for i in (1, 2)),
        *(("cards", i, 2, 1.0) for i in (1, 2)),
        *(("cat", i, 2, 1.0) for i in (1, 2)),
        ("unknown", 1, 1, 1.0),
    ]
    assert ask_named(week, "calibration_sample", {"per_stratum": 2}) == answer
    draws = {
        tuple(columns(ask_named(week, "calibration_sample", {"seed": seed}), "call_id"))
        for seed in range(8)
    }
    assert len(draws) > 1
    strata = ask_named(week, "calibration_sample", {"by": "answered"})
    assert set(columns(strata, "stratum")) == {"mostly", "rarely", "no cue"}
    with pytest.raises(QueryError, match="by: mood is not queue, team"):
        ask_named(week, "calibration_sample", {"by": "mood"})


def test_calls_without_roles(week: Path) -> None:
    answer = ask_named(week, "calls_without_roles")
    assert columns(answer, "call_id", "no_ledger_reason", "what_is_known") == [
        ("two-voices", "roles unknown", "A: said so; B: said so")
    ]


def test_failures_by_reason(week: Path) -> None:
    answer = ask_named(week, "failures_by_reason")
    assert columns(answer, "reason_code", "recordings", "example") == [
        ("empty_file", 2, "/calls/empty.wav"),
        ("not_audio", 1, "/calls/noise.wav"),
    ]


def test_talk_share_outliers(week: Path) -> None:
    answer = ask_named(week, "talk_share_outliers")
    # shares 15/35, 0.5, 0.5, 0.5, 21/40, 39/40: quartiles 0.5 and 0.51875, fences 0.47 and 0.55
    assert columns(answer, "call_id", "what", "usual_talk_share") == [
        ("monologue", "talks much", 0.5),
        ("stolen-card", "talks little", 0.5),
    ]


def test_agent_latency(week: Path) -> None:
    answer = ask_named(week, "agent_latency", {"min_pauses": 2})
    assert columns(answer, "agent_id", "pauses", "latency_median_s", "longest_call_id") == [
        ("ann", 2, pytest.approx(0.8), "stolen-card"),
        ("bob", 2, pytest.approx(0.3), "angry-bill"),
    ]
    # Of two pauses the interval is both of them.
    assert columns(answer, "latency_median_low", "latency_median_high")[0] == pytest.approx(
        (0.6, 1.0)
    )
    assert not ask_named(week, "agent_latency").rows


def test_interruptions_by_agent(week: Path) -> None:
    answer = ask_named(week, "interruptions_by_agent")
    assert columns(
        answer, "agent_id", "interruptions_per_min", "competitive_per_min", "by_customers_per_min"
    ) == [
        ("ann", pytest.approx(6.0), pytest.approx(3.0), 0.0),
        ("bob", pytest.approx(3.0), 0.0, pytest.approx(6.0)),
    ]
    # Poisson's interval for 1 in a third of a minute, and for none: chi-square's quantiles over 2.
    counted = columns(
        answer, "competitive", "customer_minutes", "competitive_low", "competitive_high"
    )
    assert counted[0] == pytest.approx((1, 1 / 3, 3 * 0.0253, 3 * 5.5716), abs=0.05)
    assert counted[1] == pytest.approx((0, 1 / 3, 0.0, 3 * 3.6889), rel=0.01)


def test_answers_by_kind(week: Path) -> None:
    answer = ask_named(week, "answers_by_kind", {"since": "2026-11-16"})
    assert columns(answer, "kind", "answer", "cues", "share", "latency_median_s") == [
        ("anger_frustration", "affective", 1, 1.0, 0.4),
        ("confusion_powerlessness", "attentive", 1, 1.0, 0.2),
        ("fear_anxiety", "dismissed", 1, 0.5, None),
        ("fear_anxiety", "ignored", 1, 0.5, None),
    ]
    assert columns(answer, "of_kind", "share_low", "share_high")[2] == pytest.approx(
        (2, 0.0945, 0.9055), abs=1e-3
    )  # Wilson for 1 of 2


def test_best_moments(week: Path) -> None:
    answer = ask_named(week, "best_moments")
    assert columns(answer, "call_id", "level", "clip_start_s", "clip_end_s", "path") == [
        ("angry-bill", 2, 1.0, 11.0, "/calls/angry-bill.wav")
    ]
    assert columns(answer, "review_verdict") == ["right"]


def test_scripted_answers(tmp_path: Path) -> None:
    def answering(call_id: str, agent_id: str, answer: str) -> CallAnalysis:
        return call(
            call_id,
            says=[("A", 0.0, 2.0, "I am afraid"), ("B", 2.5, 5.0, answer)],
            cues=[cue(0, 0.0, 2.0, "I am afraid", answer="affective", answer_turn_index=1)],
            agent_id=agent_id,
            started_at=day(16),
        )

    stock = "I understand your concern."
    calls = [
        answering("a1", "ann", stock),
        answering("a2", "ann", stock),
        answering("b1", "bob", stock),
        answering("b2", "bob", "Losing your mother's ring must be awful."),
    ]
    put(tmp_path, *calls)
    asked = {"min_answers": 2, "since": "2026-11-01", "until": "2026-12-01"}
    answer = ask_named(tmp_path / "w.duckdb", "scripted_answers", asked)
    assert columns(answer, "agent_id", "answers", "word_pairs", "said_in_other_calls") == [
        ("ann", 2, 6, 1.0),
        ("bob", 2, 9, 0.0),
    ]


def test_repeat_contacts(week: Path) -> None:
    answer = ask_named(week, "repeat_contacts")
    assert columns(answer, "customer_id", "calls", "contact_reasons", "call_ids") == [
        ("c1", 2, ["fraud"], ["stolen-card", "again"])
    ]
    longer = ask_named(week, "repeat_contacts", {"days": 14})
    assert columns(longer, "calls") == [3]


def test_hostile_exposure(week: Path) -> None:
    answer = ask_named(week, "hostile_exposure")
    assert columns(answer, "agent_id", "calls", "hostile_calls", "hostile_minutes") == [
        ("bob", 3, 1, 2.0)
    ]


def test_late_apologies(week: Path) -> None:
    answer = ask_named(week, "late_apologies")
    assert columns(answer, "call_id", "at_s", "position", "agent_words") == [
        ("stolen-card", 39.0, 0.65, "sorry")
    ]


def test_phrase(week: Path) -> None:
    answer = ask_named(week, "phrase", {"text": "Account Number", "role": "agent"})
    assert columns(answer, "call_id", "start_s") == [("stolen-card", 13.5), ("stolen-card", 39.0)]


def test_hard_to_hear(week: Path) -> None:
    answer = ask_named(week, "hard_to_hear", {"min_words": 31})
    assert columns(answer, "call_id", "word_count", "mean_probability", "dropped_words") == [
        ("stolen-card", 41, pytest.approx(0.9), 0)
    ]


def test_steadiness_under_heat(week: Path) -> None:
    answer = ask_named(week, "steadiness_under_heat")
    assert columns(answer, "call_id", "heated_turns", "agent_steadiness_level_db") == [
        ("angry-bill", 1.0, -0.5)
    ]


def test_customer_voice(week: Path) -> None:
    answer = ask_named(week, "customer_voice", {"cue": "fear_anxiety"})
    assert columns(answer, "call_id", "customer_words") == [
        ("stolen-card", "my card was stolen and I am afraid they empty my account")
    ]
    assert columns(ask_named(week, "customer_voice", {"queue": "billing"}), "call_id") == [
        "angry-bill"
    ]


def test_disputes(week: Path) -> None:
    answer = ask_named(week, "disputes")
    assert columns(answer, "name", "start_s", "machine_says", "verdict", "should_be") == [
        ("fear_anxiety", 8.0, "ignored", "wrong", "attentive"),
        ("fear_anxiety", 25.0, "dismissed", "disputed", None),
        ("reasks", None, "1.0", "wrong", "0"),
    ]
    assert columns(answer, "remarks")[1] == "kim: heard; lee: heard"
    assert len(ask_named(week, "disputes", {"subject": "metric"}).rows) == 1
    assert not ask_named(week, "disputes", {"agent": "bob"}).rows


def test_review_agreement(week: Path) -> None:
    answer = ask_named(week, "review_agreement")
    assert columns(answer, "subject", "name", "rows_reviewed", "reviews", "agreement") == [
        ("answer", "fear_anxiety", 1, 1, 0.0),  # of the other row, nobody says what is wrong
        ("answer", "anger_frustration", 1, 1, 1.0),
        ("cue", "fear_anxiety", 2, 3, 0.25),  # one denied, one disputed
        ("cue", "anger_frustration", 1, 1, 1.0),
        ("feeling", "anger_frustration", 1, 1, 1.0),  # of the other, only the answer was judged
        ("metric", "reasks", 1, 1, 0.0),
    ]
    # Wilson for 1 of 1, by hand: (1 + 1.9208 - 1.96 * 0.98) / (1 + 3.8416)
    assert columns(answer, "agreement_low", "agreement_high")[1] == (
        *(pytest.approx(0.2065, abs=1e-4), 1.0),
    )
    assert len(ask_named(week, "review_agreement", {"min_rows": 2}).rows) == 1


def test_scores_by_agent(week: Path) -> None:
    answer = ask_named(week, "scores_by_agent")
    assert columns(answer, "agent_id", "evaluations", "mean_score", "lowest_call_id") == [
        ("ann", 1, 0.0, "stolen-card"),
        ("bob", 1, 0.25, "angry-bill"),
    ], "the version that counts, and no calibration"
    assert columns(answer, "with_critical_fail", "overturned") == [(1, 0), (1, 1)]
    one = ask_named(week, "scores_by_agent", {"agent": "ann", "form": "conversation"})
    assert len(one.rows) == 1
    assert not ask_named(week, "scores_by_agent", {"min_evaluations": 2}).rows
    assert not ask_named(week, "scores_by_agent", {"until": "2026-11-10"}).rows


def test_scores_by_question(week: Path) -> None:
    answer = ask_named(week, "scores_by_question", {"form": "conversation"})
    assert columns(answer, "section", "question", "yes", "no", "yes_share") == [
        ("Feelings", "heard", 0, 2, 0.0),
        ("Opening", "greeted", 2, 0, 1.0),
    ]
    # Wilson's interval of 0 of 2 is (0, 0.6576)
    assert columns(answer, "yes_share_high")[0] == pytest.approx(0.6576, abs=1e-3)
    assert columns(ask_named(week, "scores_by_question", {"agent": "ann"}), "no") == [1, 0]
    assert not ask_named(week, "scores_by_question", {"team": "none"}).rows


def test_agents_stand_in_order_of_name_and_not_of_what_chance_gives_them(week: Path) -> None:
    """Whoever stands on top is taken for the worst or the best, whatever the interval says."""
    with open_for_reading(week) as con:
        for name, query in named_queries().items():
            bound = query.sql
            for parameter in query.parameters:
                bound = re.sub(rf"\${parameter.name}\b", f"(NULL::{parameter.type})", bound)
            columns = [row[0] for row in con.execute(f"DESCRIBE {bound}").fetchall()]
            # How much hostility somebody is met with is no merit: those with most need help first.
            if "agent_id" in columns and "call_id" not in columns and name != "hostile_exposure":
                order = query.sql.rsplit("ORDER BY", 1)[1].split("\n")[0]
                assert re.match(r" (form, )?(\w+\.)?agent_id\b", order), name


def test_agents_without_a_difference_are_not_told_apart(tmp_path: Path) -> None:
    """Forty agents with four of ten answered before, two of whom have nine of ten after."""

    def of(agent: int, hits: int, number: int) -> CallAnalysis:
        cues = [
            cue(1, 2.5, 5.0, "x", answer="affective" if i < hits else "ignored") for i in range(10)
        ]
        return call(
            f"{agent}-{number}",
            agent_id=f"{agent:02}",
            cues=cues,
            metrics=ledger(cues),
            started_at=day(number),
        )

    calls = [of(agent, 4, 9) for agent in range(40)]
    calls += [of(agent, 9 if agent < 2 else 4, 16) for agent in range(40)]
    calls += [of(40, 0, 9), of(40, 10, 16)]
    land_together(calls, tmp_path / "landing")
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions_of(calls))
    answer = ask_named(tmp_path / "w.duckdb", "answered_rate_before_after", {"day": "2026-11-10"})
    told = columns(answer, "agent_id", "difference_low", "reading")
    assert [who for who, low, _ in told if low > 0] == ["00", "01", "40"]
    assert [who for who, _, reading in told if reading.startswith("higher")] == ["40"]
    # Who is alike has the same corrected p-value, and none is above 1.
    p = dict(columns(answer, "agent_id", "p_corrected"))
    assert p["00"] == p["01"]
    assert [p[f"{agent:02}"] for agent in range(2, 40)] == pytest.approx([1.0] * 38)


def test_simulated_calls_are_never_added_to_real_ones(tmp_path: Path) -> None:
    """A real call of two agents, who ask for an item again, and a simulated one like it."""

    def of(call_id: str, answer: str, is_simulated: bool) -> CallAnalysis:
        cues = [cue(1, 2.5, 5.0, "I am afraid", answer=answer)]
        asked = moment("reask", 2, 6.0, 8.0, "your number", label="account_number")
        return call(
            call_id,
            says=[*SAYS, ("C", 9.0, 12.0, "good bye")],
            roles={"A": RoleName.CUSTOMER, "B": RoleName.AGENT, "C": RoleName.AGENT},
            cues=cues,
            moments=[asked],
            metrics=ledger(cues),
            queue="cards",
            started_at=day(16),
            is_simulated=is_simulated,
        )

    put(tmp_path, of("real", "ignored", False), of("simulated", "affective", True))
    warehouse = tmp_path / "w.duckdb"
    kinds = ask_named(warehouse, "answers_by_kind")
    assert columns(kinds, "is_simulated", "answer", "of_kind", "share") == [
        (False, "ignored", 1, 1.0),
        (True, "affective", 1, 1.0),
    ]
    piles = ask_named(warehouse, "calls_to_listen_to", {"min_cues": 1})
    assert columns(piles, "is_simulated", "pile", "place", "alike") == [
        (False, "worst", 1, 1),
        (True, "best", 1, 1),
    ]
    sample = ask_named(warehouse, "calibration_sample", {"per_stratum": 1})
    assert columns(sample, "is_simulated", "call_id", "chance") == [
        (False, "real", 1.0),
        (True, "simulated", 1.0),
    ]
    again = ask_named(warehouse, "reasked_information")
    assert columns(again, "is_simulated", "calls_with_it", "calls_measured", "share_of_calls") == [
        (False, 1, 1, 1.0),
        (True, 1, 1, 1.0),
    ]


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
