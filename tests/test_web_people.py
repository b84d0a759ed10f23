"""The pages of agents, teams and measures."""

import html
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from support.factories import call, cue, definitions_of, measured, moment
from support.pages import SAYS, serving
from support.warehouses import put
from support.week import day
from warmline import landing
from warmline.analysis import MetricDefinition, rate
from warmline.settings import ProfileSettings
from warmline.statistics import wilson
from warmline.warehouse.publishing import publish
from warmline.web.accounts import Role
from warmline.web.drawing import change, trend


def test_definitions_have_values_and_no_names_of_settings(tmp_path: Path) -> None:
    told = "within the next empathy.answer_within_turns turns; see docs.page"
    landing.write(call("c", metrics=[]), tmp_path / "landing")
    definitions = [MetricDefinition("hold_s", "call", "s", told, "s", validated="no")]
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions)
    with serving(tmp_path) as served:
        text = " ".join(served.alone().get("/measures").text.split())
    turns = served.site.settings.empathy.answer_within_turns
    assert f"within the next {turns} turns; see docs.page" in text


def test_pages_of_agents_teams_and_measures(reading: Any) -> None:
    people = reading.get("/people").text
    assert people.index("id=ann") < people.index("id=bob")
    assert "0%, 0% to" in people, "with its interval"
    columns = [
        re.sub("<[^>]*>", "", name) for name in re.findall(r"<th scope=.col.*?</th>", people)
    ]
    assert columns[:2] == ["Agent", "Feelings answered"], "what is looked for is beside the name"
    row = people.partition("id=ann")[2].partition("</tr>")[0]
    assert re.sub("<[^>]*>", " ", row).split()[-1] == "red", "and cells as their headings"
    agent = reading.get("/agent", params={"id": "ann"}).text
    assert "I am worried" in agent and "Worth hearing together" in agent
    week = re.search(r'<a href="(/calls\?agent=ann[^"]*)" title="[^"]*">1</a>', agent)
    assert week and "id=ann-1" in reading.get(html.unescape(week[1])).text, "the calls of a number"
    assert reading.get("/agent", params={"id": "nobody"}).status_code == 404
    team = reading.get("/team", params={"id": "red"}).text
    assert team.index("id=ann") < team.index("id=bob") and "0 of 2, 0% to 66%" in team
    assert reading.get("/team", params={"id": "blue"}).status_code == 404
    assert "as the test wrote it" in reading.get("/measures").text


def test_a_measure_whose_validation_says_no_is_not_called_validated(tmp_path: Path) -> None:
    definitions = [
        MetricDefinition("dead_air_s", "call", "s", "d", "s", validated="no; of what was found"),
        MetricDefinition("hold_s", "call", "s", "d", "s", validated="planted events"),
        MetricDefinition("fto_s", "call", "s", "d", "s", validated="normal calls: 0.9"),
    ]
    landing.write(call("c", metrics=[]), tmp_path / "landing")
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions)
    with serving(tmp_path) as served:
        text = " ".join(served.alone().get("/measures").text.split())
    assert 'not validated</span> <span lang="en">of what was found' in text
    for told in ("planted events", "normal calls"):
        assert f'>validated</span> <span lang="en">{told}' in text


def test_weeks_of_a_trend_stand_where_their_date_is() -> None:
    week = {"answered_low": 0.1, "answered_rate": 0.5, "answered_high": 0.9}
    week |= {"answered": 1, "answerable": 2}
    days = (date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 23))
    drawn = trend([week | {"week": day} for day in reversed(days)])
    assert [point.x for point in drawn] == ["12.500%", "37.500%", "87.500%"]
    assert [point.labelled for point in drawn] == list(days)
    assert [point.follows for point in drawn] == [False, True, False], "no line over a week without"
    assert trend([week | {"week": None}]) == []


def test_figures_of_one_or_two_people_are_not_shown(folder: Path) -> None:
    known = [landing.read_landed(folder / "landing", k) for k in landing.known(folder / "landing")]
    definitions = definitions_of(known)
    publish(folder / "landing", folder / "w.duckdb", definitions, ProfileSettings(smallest_group=3))
    with serving(folder) as served:
        hidden = served.logged_in(Role.RESEARCHER).get("/team", params={"id": "red"}).text
        shown = served.logged_in(Role.LEAD).get("/team", params={"id": "red"}).text
    assert "not shown: fewer than 3 agents" in hidden and "0 of 2" not in hidden
    # Who may see each agent's numbers sees the team's, and why others do not.
    assert "0 of 2" in shown and "you may see each of them" in shown


def test_nothing_found_is_not_called_all_answered(tmp_path: Path) -> None:
    read = [measured("opportunities", None, 0.0)]
    put(tmp_path, call("quiet", agent_id="zoe", started_at=day(16), metrics=read))
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        for path in ("/agent?id=zoe", "/report"):
            shown = lead.get(path).text
            assert "no feeling that could be answered was found" in shown, path
            assert "every feeling that was found was answered" not in shown, path


def a_week(monday: int, answered: float, answerable: float, worth: float = 1.0) -> Any:
    found = wilson(answered / worth, answerable / worth)
    bounds = (found.value, found.low, found.high) if found else (None, None, None)
    named = zip(("answered_rate", "answered_low", "answered_high"), bounds, strict=True)
    counts = {"answered": answered, "answerable": answerable, "design_effect": worth}
    return {"week": date(2026, 11, monday), **counts, **dict(named)}


def test_a_week_is_called_another_only_where_its_difference_is_more_than_chance() -> None:
    before = [a_week(2, 5, 20), a_week(9, 25, 40)]  # 30 of 60, not the mean
    alike = change([a_week(16, 9, 20), *before])
    assert alike is not None and (alike.way, alike.before, alike.weeks) == ("none", 0.5, 2)
    # Newcombe's method 10 for 9/20 and 30/60, from Wilson's (0.2582, 0.6579) and (0.3774, 0.6226)
    assert (alike.low, alike.high) == pytest.approx((-0.2777, 0.1914), abs=1e-3)
    more, less = change([*before, a_week(16, 18, 20)]), change([*before, a_week(16, 2, 20)])
    assert more is not None and less is not None and (more.way, less.way) == ("higher", "lower")
    # The week's own interval, 0.5003 to 0.8623, leaves out the half of before: a guess, too.
    luck = change([a_week(9, 10, 20), a_week(16, 15, 21)])
    assert luck is not None and luck.way == "none"
    in_few_calls = change(
        [*(row | {"design_effect": 4.0} for row in before), a_week(16, 18, 20, 4.0)]
    )
    assert in_few_calls is not None and in_few_calls.way == "none"
    assert change([a_week(16, 9, 20)]) is None, "there is nothing before"
    unanswered = a_week(23, 0, 0) | {"week": None}
    assert change([unanswered, *before, a_week(16, 9, 20)]) == alike


def test_a_feeling_or_two_are_no_trend() -> None:
    """One of one after none of four: Wilson's interval, 0.21 to 1, would leave out 0."""
    for first, last in (((0, 4), (1, 1)), ((0, 4), (30, 30)), ((0, 30), (9, 9))):
        found = change([a_week(9, *first), a_week(16, *last)])
        assert found is not None and found.way == "few"


def test_agents_and_teams_say_in_words_whether_a_week_is_a_change(tmp_path: Path) -> None:
    left = [cue(1, 3.2, 5.0, "I am worried", answer="ignored")]
    said = [
        measured("opportunities", None, 1.0),
        rate("answered_rate", None, 0, 1, no_answer=""),
    ]
    whose = {"team": "red", "says": SAYS, "cues": left, "metrics": said}
    put(
        tmp_path,
        *(
            call(f"{name}-{monday}", agent_id=name, started_at=day(monday), **whose)
            for name in ("ann", "ben")
            for monday in (9, 16)
        ),
    )
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        agent, team = lead.get("/agent?id=ann").text, lead.get("/team?id=red").text
        german = lead.get("/team?id=red", headers={"Accept-Language": "de"}).text
    for page in (agent, team):
        assert "Week of 2026-11-16 beside the weeks before (1):" in page
        assert "<strong>too few feelings to compare</strong>" in page
        assert "of before lies between" not in page and "it takes ten of each" in page
        assert "feelings of one call are treated alike" in page
        assert "the first row is of 2026-11-16 to 2026-11-22." in page, "its days are said"
    assert "die erste Zeile ist die vom 16.11.2026 bis 22.11.2026." in german
    assert "Woche vom 16.11.2026 neben den Wochen davor (1):" in german
    assert "nötig sind je zehn" in german and ">2026-11-16" not in german, "days, but in addresses"
    assert ">9. Nov.</text>" in german and ">09 Nov</text>" in team


def test_calls_that_were_not_read_are_not_called_without_feelings(tmp_path: Path) -> None:
    foreign = [
        call(f"{name}-1", agent_id=name, team="red", started_at=day(16)) for name in ("ann", "ben")
    ]
    empathy = replace(foreign[0].empathy, no_ledger_reason="the call is in 'fr'")
    put(tmp_path, *(replace(one, empathy=empathy) for one in foreign))
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        for path in ("/people", "/agent?id=ann", "/team?id=red", "/report"):
            shown = lead.get(path).text
            assert "feelings could not be looked for in these calls" in shown, path
            assert "no feeling that could be answered was found</span></td>" not in shown, path
        assert '<td class="n">–</td><td class="n">1' in lead.get("/people").text
        report = " ".join(lead.get("/report").text.split())
    # No customer's words were read, so nobody knows whether they were hostile.
    assert "No hostile word was recognised" not in report
    assert 'abusive language</span><span class="figure">–</span>' in report


def test_each_link_to_a_team_says_which_calls_it_shows(tmp_path: Path) -> None:
    real = call("real", agent_id="ann", team="red", started_at=day(16))
    played = [
        call(f"p{i}", agent_id="ben", team="red", started_at=day(16), is_simulated=True)
        for i in range(2)
    ]
    put(tmp_path, real, *played)
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        page = lead.get("/people").text
        pages = ("/calls", "/feelings", "/team?id=red", "/report")
        shown = [lead.get(address).text for address in pages]
        both = lead.get("/calls?simulated=all").text
    told = "The real calls are shown, on every page, unless you ask"
    assert all(told in each for each in shown[:3]) and "2 simulated calls of these" in shown[3]
    assert "call?id=real" in shown[0] and "call?id=p1" not in shown[0]
    assert "call?id=real" in both and "call?id=p1" in both
    links = re.findall(r'href="/team\?([^"]+)">(?:<strong>)?([^<]+)', page)
    assert links == [
        *(("id=red", "red"), ("id=red&amp;simulated=1", "red, simulated")),
        *(("id=red", "red"), ("id=red&amp;simulated=1", "red")),
    ], "of the list of teams, then of the agents"
    assert "weeks and trend of 1 call" in page and "weeks and trend of 2 simulated calls" in page


def test_feelings_of_a_call_with_two_agents_are_nobodys_on_any_page(tmp_path: Path) -> None:
    """The metadata names one of them; the ledger does not say which of them it is."""
    felt = [cue(1, 3.2, 5.0, "I am worried", answer="ignored")]
    given = {"says": SAYS, "cues": felt, "duration_s": 20.0, "agent_id": "ann"}
    greets = [moment("handover", 2, 9.5, 12.0, "Billing, how can I help you?")]
    put(
        tmp_path,
        call("alone", path="/calls/a.wav", **given),
        call("passed-on", path="/calls/p.wav", moments=greets, **given),
    )
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        for address in ("/feelings", "/calls"):
            told = {
                name: re.sub("<[^>]*>", " ", row)
                for row in lead.get(address).text.split("<tr")
                for name in ("alone", "passed-on")
                if f"id={name}" in row
            }
            assert "2 agents, not known which" in told["passed-on"], address
            assert not re.search(r"\bann\b", told["passed-on"]), address
            assert re.search(r"\bann\b", told["alone"]), address
        hit = lead.get("/calls?phrase=worried").text.split("passed-on")[-1]
        assert "2 agents, not known which" in hit and "agent ann" not in hit
        for address in ("/call?id=passed-on", "/call/score?id=passed-on&form=quick"):
            assert "2 agents, not known which of them is ann" in lead.get(address).text, address
        told = "In 1 call several agents speak: its feelings are not counted here"
        for address in ("/people", "/agent?id=ann"):
            assert told in lead.get(address).text, address


def test_the_share_of_feelings_answered_says_that_it_is_not_validated(tmp_path: Path) -> None:
    for which, said, times in (("no", "no; of cues", 1), ("yes", "yes, on calls", 0)):
        taken = call("c", agent_id="ann", team="red", metrics=[])
        landing.write(taken, tmp_path / which / "landing")
        definition = MetricDefinition("answered_rate", "call", "1", "d", "s", validated=said)
        publish(tmp_path / which / "landing", tmp_path / which / "w.duckdb", [definition])
        with serving(tmp_path / which) as served:
            page = served.alone()
            for address in ("/people", "/agent?id=ann", "/team?id=red", "/report"):
                told = page.get(address).text.count("not validated on calls")
                assert told == times, address


def test_components_of_a_profile_are_explained(reading: Any) -> None:
    page = reading.get("/agent?id=ann").text
    assert "<dt>giving room</dt><dd>interruptions that take the word" in page
