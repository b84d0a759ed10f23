"""The report of a period, and its file without personal data."""

import re
from pathlib import Path
from typing import Any

from support.factories import call, cue, definitions_of, measured, without_analysis
from support.pages import SAYS, Programme, serving, text_of
from support.warehouses import put
from support.week import day
from warmline import landing
from warmline.analysis import CallAnalysis, Quote, rate
from warmline.errors import Status
from warmline.settings import ProfileSettings
from warmline.warehouse.publishing import publish
from warmline.web.accounts import Role


def test_the_file_is_off_with_its_reason_where_it_would_be_about_people(
    programme: Programme,
) -> None:
    page = programme.lea.get("/report?agent=agent-1&days=all").text
    assert "/report.html" not in page and "disabled aria-describedby" in page
    assert "A file without names needs 5 calls of 2 agents" in page and "remove a filter" in page
    few = text_of(programme.lea.get("/report?from=2000-01-01&to=2000-01-02"))
    assert "remove a filter" not in few
    assert "/report.html" in programme.lea.get("/report?days=all").text


def test_the_report_counts_a_period_and_its_file_names_nobody(programme: Programme) -> None:
    lea = programme.lea
    page = text_of(lea.get("/report?days=all&queue=bills"))
    assert "Calls 13" in page and "6 of 13" in page
    assert "billing 9" in page and "address 3" in page
    assert "“my card is lost and nobody calls me back”" in page
    assert "address 1 of 3" in page, "who waited, by reason"
    listed = lea.get("/report?team=blue").text.partition("that nobody answered")[2]
    worst = re.findall(r"/call\?id=([\w-]+)#", listed.partition("<h2>")[0])
    assert worst and all(int(name[1:]) % 2 == 0 for name in worst), "odd ones were answered"
    assert "bills 1 of 12 2 24" in page, (
        "calls, and minutes, with hostile words; of one it is unknown"
    )
    refused = lea.get("/report.html?days=all&agent=bob")
    assert refused.status_code == 422 and "about people" in refused.text
    assert '<a href="/calls?' in lea.get("/report?days=all&queue=bills").text
    file = lea.get("/report.html?days=all&queue=bills")
    assert "/calls?" not in file.text
    assert file.headers["content-disposition"].startswith("attachment")
    for name in ("ann", "bob", "agent-0", "c1", "nobody calls me back", "lea", "/call?"):
        assert f">{name}" not in file.text and f"“{name}" not in file.text, name
    assert "nobody calls" not in file.text and "/call?" not in file.text
    assert ">address<" not in file.text, "3 calls are too few"
    assert "billing" not in file.text, "of 13 it would leave 4, which are too few"
    whole = lea.get("/report.html?days=all").text
    assert "billing" in whole and ">address<" not in whole and ">fraud<" not in whole
    assert "<script" not in file.text and "src=" not in file.text and "href=" not in file.text
    assert programme.rea.get("/report.html?days=all").status_code == 403
    assert "fraud 0 of 0" in text_of(lea.get("/report?days=all&team=red")), "friction unknown"
    empty = text_of(lea.get("/report?queue=none&days=all"))
    assert "No analyzed call matches these days and filters" in empty


def test_the_file_of_a_report_has_no_group_that_is_one_agent(tmp_path: Path) -> None:
    def taken(name: str, agent: str | None, on: int, reason: str, **more: Any) -> CallAnalysis:
        metrics = [
            measured("opportunities", None, 1.0),
            rate("answered_rate", None, 1, 1, no_answer=""),
        ]
        cues = [cue(1, 2.5, 5.0, "my card is lost", answer="affective")]
        parts = {"agent_id": agent, "cues": cues, "metrics": metrics, "duration_s": 60.0}
        return call(name, started_at=day(on), reason=reason, **parts | more)

    calls = [
        *(taken(f"b{i}", f"a{i % 3}", 10, "billing", queue="bills") for i in range(6)),
        *(taken(f"e{i}", f"a{i % 3}", 11, "fees", queue="bills") for i in range(7)),
        *(taken(f"f{i}", "a0", 17, "fraud", queue="cards") for i in range(6)),
        *(taken(f"s{i}", f"s{i}", 17, "tried", is_simulated=True, queue="cards") for i in range(4)),
        *(taken(f"n{i}", None, 18, "nobody", queue="night") for i in range(3)),
        taken("before", "a0", 3, "billing", queue="bills"),
    ]
    for each in calls:
        landing.write(each, tmp_path / "landing")
    known = [
        landing.read_landed(tmp_path / "landing", key)
        for key in landing.known(tmp_path / "landing")
    ]
    settings = ProfileSettings(smallest_group=3)
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions_of(known), settings)
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        days = {"from": "2026-11-09", "to": "2026-11-22"}
        file = lead.get("/report.html", params=days)
        assert "fewer than 5 calls or 3 agents" in file.text
        assert "fees" in file.text and "Calls 22" in text_of(file)
        assert "billing" not in file.text, "what is left of 22 would be a0's and nobody's"
        assert "fraud" not in file.text and "2026-11-16" not in file.text, "all of them are a0's"
        assert "2026-11-09" not in file.text.partition("<h2")[2], "the only other week"
        assert "cards" not in file.text and "before: 1" not in file.text, "one call was before"
        assert "before: 1" in lead.get("/report", params=days).text
        named = lead.get("/report.html", params=days | {"queue": "bills"})
        assert "billing" in named.text, "nobody else's calls are among them"
        assert "queue: bills" in text_of(named).replace(" : ", ": "), "it says what it is of"
        alone = lead.get("/report.html", params=days | {"queue": "cards"})
        assert alone.status_code == 422 and "calls: 6, agents: 1" in alone.text
        few = lead.get("/report.html", params=days | {"queue": "night"})
        assert few.status_code == 422 and "calls: 3, agents: 0" in few.text
        words = lead.get("/report", params={"phrase": "hello"})
        assert words.status_code == 422 and "remove the phrase" in words.text


def test_what_the_night_after_the_last_day_refused_is_in_the_report(tmp_path: Path) -> None:
    """Files that cannot be read have no date, and nights come after the days they take in."""
    last_night = {"analyzed_at": day(17, 2)}
    put(
        tmp_path,
        call("early", started_at=day(9)),
        call("late", started_at=day(16)),
        without_analysis("broken", **last_night),
        without_analysis("copy", status=Status.DUPLICATE, code="same_bytes", **last_night),
    )
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        report = text_of(lead.get("/report"))
        assert "1 recording: refused" in report and "duplicate" not in report
        earlier = text_of(lead.get("/report", params={"from": "2026-11-09", "to": "2026-11-10"}))
        assert "Every recording of these days was analyzed" in earlier
        listed = lead.get("/calls", params={"measure": "not-analyzed", "days": "all"}).text
        assert "call?id=broken" in listed and "call?id=copy" not in listed
        none = lead.get("/calls", params={"measure": "no_feeling"}).text
        assert "call?id=late" not in none, "nobody knows"


def test_the_file_says_in_its_place_what_is_left_out(tmp_path: Path) -> None:
    metrics = [rate("answered_rate", None, 1, 1, no_answer=""), measured("hostile", "A", 1.0)]
    cues = [cue(1, 2.5, 5.0, "my card is lost", answer="affective")]
    put(
        tmp_path,
        *(
            call(
                f"c{i}",
                started_at=day(9 + i),
                **{"agent_id": f"a{i % 3}", "reason": f"r{i}", "queue": f"q{i}"},
                **{"cues": cues, "metrics": metrics, "duration_s": 120.0},
            )
            for i in range(12)
        ),
    )
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        file, page = lead.get("/report.html?days=all"), lead.get("/report?days=all").text
        german = lead.get("/report.html?days=all", headers={"Accept-Language": "de"}).text
    assert file.status_code == 200
    why = "all of them are of fewer than 5 calls or"
    for title in (
        "Why customers call",
        "Customer effort: repeats, transfers, waits",
        "Hostility towards agents",
    ):
        part = file.text.partition(f"<h2>{title}</h2>")[2].partition("</section>")[0]
        assert why in part and "<thead>" not in part, title
    assert "no hostile word was recognised" not in file.text
    assert "hostile words" in page and "eft out here" not in page
    assert "Hier weggelassen: alle sind von weniger als 5 Anrufen" in german


def test_the_file_says_why_it_has_no_chart(tmp_path: Path) -> None:
    parts: dict[str, Any] = {
        "cues": [cue(1, 2.5, 5.0, "my card is lost", answer="affective")],
        "metrics": [rate("answered_rate", None, 1, 1, no_answer="")],
    }
    put(
        tmp_path,
        *(
            call(f"c{i}", agent_id=f"a{i}", started_at=day(1 + 7 * (i // 2)), **parts)
            for i in range(8)
        ),
    )
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        file, page = lead.get("/report.html?days=all").text, lead.get("/report?days=all").text
    assert "<figure" in page and "<figure" not in file
    assert "There is no chart: what is left out below is left out of it, too." in file
    weeks = file.partition("Weeks as a table")[2].partition("</details>")[0]
    assert "all of them are of fewer than 5 calls or" in weeks and "<table" not in weeks


def test_what_customers_say_is_counted_whole_and_says_what_is_quoted(tmp_path: Path) -> None:
    long_enough = "my card was stolen and I am afraid"
    said = [
        *(Quote(3.2, 9.0, 1, text, "fear_anxiety") for text in (long_enough, "I am afraid")),
        Quote(10.0, 11.0, 2, "you idiot", "hostile"),
    ]
    put(tmp_path / "said", call("c", agent_id="ann", started_at=day(9), says=SAYS, quotes=said))
    put(tmp_path / "none", call("c", agent_id="ann", started_at=day(9)))
    with serving(tmp_path / "said") as served:
        page = text_of(served.logged_in(Role.LEAD).get("/report?days=all"))
    assert "fear, anxiety 2 " in page and long_enough in page and "you idiot" not in page
    assert "hostile words 1 None of them has that length" in page
    assert "those of 20 to 240 characters" in page
    with serving(tmp_path / "none") as served:
        page = text_of(served.logged_in(Role.LEAD).get("/report?days=all"))
    assert "no quotes from these calls are kept" not in page
    assert "No rule found a sentence of a customer here" in page


def test_the_report_and_the_list_of_feelings_have_one_order(tmp_path: Path) -> None:
    answers = ("ignored", "problem_solved_only", "dismissed", "dismissed")
    put(
        tmp_path,
        *(
            call(
                f"c{i}-{answer}",
                agent_id="ann",
                started_at=day(9 + i),
                cues=[cue(1, 2.5, 5.0, "my card is lost", answer=answer)],
                metrics=[rate("answered_rate", None, 0, 1, no_answer="")],
            )
            for i, answer in enumerate(answers)
        ),
    )
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        listed, reported = (
            re.findall(r'/call\?id=([^"#]+)#', lead.get(f"/{page}?days=all").text)
            for page in ("feelings", "report")
        )
    assert [name[3:] for name in reported] == sorted(
        answers, key=("dismissed", "ignored", "problem_solved_only").index
    )
    assert reported == listed
