"""The page of a call: what it shows, and what people who listened say of it."""

import re
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from support.factories import call, cue, measured, moment
from support.pages import (
    FROM_HERE,
    SAYS,
    Programme,
    Served,
    audible,
    comment,
    send,
    serving,
    text_of,
)
from support.warehouses import put
from warmline.analysis import missing_metric, rate
from warmline.cli import app
from warmline.landing.feedback import write_review
from warmline.query.questions import ask
from warmline.query.reviews import Judgement, Verdict, all_reviews, review_cue
from warmline.values import RoleName
from warmline.web.accounts import Role
from warmline.web.evidence import five_quotes, heard_in
from warmline.web.store import audit


def test_the_page_of_a_call_shows_rows_with_reasons_and_seconds(reading: Any) -> None:
    page = reading.get("/call", params={"id": "ann-1"})
    assert page.status_code == 200
    text = page.text
    assert "Data as of" in text
    assert "never interrupted" in text, "a missing value shows its reason"
    assert 'data-t="3.2"' in text and 'href="#t=3.2"' in text
    assert "fear, anxiety: not answered (ignored) after 0.5 s" in text
    assert "the agent did not speak afterwards" in text
    assert "competitive interruption, floor taken: agent interrupts customer" in text
    assert "! agent interrupts customer</a>" in text, "in the turn that is interrupted"
    assert '! <tspan class="who">agent</tspan>' in text, "and beside the mark"
    assert "0 of 1" in text
    assert "What is open" in text and "“you are not listening to me”" in text
    refused = reading.get("/call", params={"id": "broken"})
    assert refused.status_code == 200 and "No sound" in refused.text


def test_what_cannot_be_said_of_a_call_is_not_said_otherwise(tmp_path: Path) -> None:
    roles = {"A": RoleName.CUSTOMER, "B": RoleName.AGENT, "C": RoleName.AGENT}
    says = [*SAYS, ("C", 17.5, 19.0, "this is the other desk speaking")]
    shares = [
        measured("talk_share", "A", 0.5),
        measured("talk_share", "B", 0.3),
        measured("talk_share", "C", 0.2),
    ]
    no_ledger = audible(tmp_path, "no-ledger", says=says, roles=roles, cues=[], metrics=shares)
    assert no_ledger.empathy is not None
    silent = replace(no_ledger.empathy, no_ledger_reason="it is in German", opportunities=())
    put(tmp_path, replace(no_ledger, empathy=silent))
    with serving(tmp_path) as served:
        alone = served.alone()
        text = " ".join(alone.get("/call", params={"id": "no-ledger"}).text.split())
        unanswered = alone.get("/feelings?days=all").text
    assert "recognised no feeling in these calls" in unanswered, "none was left unanswered, either"
    assert "every feeling that was found was answered" not in text
    assert text.count("it is in German") >= 3, "in both quotes, and in the place of the ledger"
    assert "2 parties are agent: see each of them below" in text


SOLVED = moment("resolution", 4, 16.0, 17.0, "it is working now", party="A")
PROMISE = moment("commitment", 3, 12.0, 14.5, "I will send it today")
NO_HELP = moment("complaint", 4, 16.0, 17.0, "I want a manager", party="A")


@pytest.mark.parametrize(
    ("last", "moments", "ended"),
    [
        ("yes it is working now.", [PROMISE, SOLVED], "yes it is working now."),
        ("no. I want a manager.", [PROMISE, NO_HELP], "I want a manager."),
        ("that suits me very well. Thank you, bye.", [PROMISE], "that suits me very well."),
        ("thank you so very much.", [PROMISE], "I will send it today."),
        ("I have lost it again. Thank you.", [], "I have lost it again."),
        ("thank you so much.", [], "you are welcome, have a nice day."),
    ],
)  # fmt: skip
def test_how_a_call_ended_is_more_than_a_goodbye(last: str, moments: list[Any], ended: str) -> None:
    said = "I will send it today." if PROMISE in moments else "thank you for calling."
    texts = ["hello and welcome.", "my card is lost.", "your number please?", said, last]
    texts.append("you are welcome, have a nice day.")
    turns = [
        {"turn_index": i, "text": text, "start_s": 4.0 * i, "word_count": len(text.split())}
        | {"role": ("agent", "customer")[i % 2]}
        for i, text in enumerate(texts)
    ]
    rows = [asdict(m) | {"role": m.role.value} for m in moments]
    call_row = {"duration_s": 17.0, "no_ledger_reason": None}
    page = SimpleNamespace(call=call_row, turns=turns, moments=rows, opportunities=[])
    assert {q.question: q.text for q in five_quotes(cast(Any, page))}["How it ended"] == ended


def test_what_is_done_is_how_a_call_ended_and_no_promise() -> None:
    said = "It is cancelled."
    turn = {"turn_index": 0, "text": said, "start_s": 9.0, "word_count": 3, "role": "agent"}
    kinds = ("next_step", "resolution")
    rows = [asdict(moment(k, 0, 9.0, 10.0, said, party="B")) | {"role": "agent"} for k in kinds]
    call = {"duration_s": 10.0, "no_ledger_reason": None}
    page = SimpleNamespace(call=call, turns=[turn], moments=rows, opportunities=[])
    found = {q.question: q.text for q in five_quotes(cast(Any, page))}
    assert (found["What was promised"], found["How it ended"]) == (None, said)


def test_what_an_agent_did_about_the_matter_tells_how_a_call_ended() -> None:
    said = ("nobody has ever come.", "you are not listening to me.", "I can book an engineer now.")
    turns = [
        {"turn_index": i, "text": text, "start_s": 4.0 * i, "word_count": 5, "role": role}
        for i, (role, text) in enumerate(zip(("customer", "customer", "agent"), said, strict=True))
    ]
    complaint = asdict(moment("complaint", 1, 6.0, 7.0, "not listening", party="A"))
    deed = {"answer_turn_index": 2, "answer_start_s": 8.0, "answer_text": "I can book"}
    cue = {"turn_index": 0, "start_s": 0.0, "text": said[0], "strength": 0.8, "answered": False}
    cue["opportunity_index"] = 0
    page = SimpleNamespace(
        call={"duration_s": 8.5, "no_ledger_reason": None},
        turns=turns,
        moments=[complaint | {"role": "customer"}],
        opportunities=[cue | deed | {"answer": "problem_solved_only"}],
        review_of_cue=lambda index: None,
    )
    ended = {q.question: q for q in five_quotes(cast(Any, page))}["How it ended"]
    assert (ended.text, ended.who) == (said[2], "agent")
    page.opportunities = [cue | deed | {"answer": "ignored"}]
    assert five_quotes(cast(Any, page))[3].text == said[1]


def test_a_number_that_names_no_second_is_heard_where_it_was_taken_from() -> None:
    turns = [
        {"party": "BA"[i % 2], "start_s": 3.0 * i, "end_s": 3.0 * i + 2.0, "turn_index": i}
        for i in range(4)
    ]
    felt, silent = [{"start_s": 3.0, "end_s": 4.0}], [{"start_s": 2.0, "end_s": 3.0}]
    page = SimpleNamespace(turns=turns, opportunities=felt, silences=silent, overlaps=[])

    def heard(name: str, party: str | None, value: float | None, **more: Any) -> list[float]:
        row = {"name": name, "party": party, "value": value, "evidence": [], **more}
        return [span["start_s"] for span in heard_in(cast(Any, page), row)]

    assert heard("talk_share", "A", 0.5) == [3.0, 9.0]
    assert heard("response_latency_median_s", "A", 1.0) == [0.5, 6.5], "with what was said before"
    assert heard("answered_rate", None, 0.0) == [3.0], "none of one is a number, too"
    assert heard("non_talk_s", None, 4.0) == [2.0]
    assert heard("hold_s", None, 0.0) == [] == heard("talk_share", "A", None)
    assert heard("reasks", None, 1.0, evidence=silent) == [2.0], "seconds that it names come first"


def test_a_call_that_is_not_there_is_said_with_the_closest(reading: Any) -> None:
    answer = reading.get("/call", params={"id": "ann-2"})
    assert answer.status_code == 404
    assert "closest: ann-1" in answer.text


def test_words_have_their_seconds(reading: Any) -> None:
    words = reading.get("/call/words", params={"id": "ann-1"}).json()
    said = [word[0] for word in words["1"]]
    assert " ".join(said) == "I am worried that my card was stolen"
    assert words["1"][0][1] == pytest.approx(3.2)


def mark(browser: Any, **fields: str) -> Any:
    fields = {"id": "ann-1", "start_s": "3.2", "verdict": "wrong", **fields}
    return browser.post("/call/review-cue", data=fields, headers=FROM_HERE | {"HX-Request": "true"})


def test_a_review_is_landed_and_seen_at_once(browser: Any, folder: Path) -> None:
    row = mark(browser, reason="she did answer", should_be="affective")
    assert row.status_code == 200
    assert "✗ wrong" in row.text and "she did answer" in row.text
    (review,) = all_reviews(folder / "landing")
    assert (review.verdict, review.should_be, review.start_s) == ("wrong", "affective", 3.2)
    assert "she did answer" in browser.get("/call", params={"id": "ann-1"}).text
    assert "✓ right" in mark(browser, verdict="right", should_be="affective").text, (
        "a second thought"
    )


def test_a_cue_may_be_another_feeling_than_the_machine_heard(browser: Any, folder: Path) -> None:
    """What the customer felt and how the agent answered are two things that may be wrong."""
    form = browser.get("/call", params={"id": "ann-1"}).text
    assert 'value="sadness_disappointment">' in form and "there is no feeling at all" in form
    row = mark(browser, reason="her husband died", should_be="sadness_disappointment")
    assert row.status_code == 200 and "sadness, disappointment</strong>" in row.text.replace(
        "or ", ""
    )
    (review,) = all_reviews(folder / "landing")
    assert review.should_be == "sadness_disappointment"
    report = browser.get("/report", params={"days": "all"}).text
    assert "corrected by review" not in report, "another feeling, and the answer stays ignored"


def test_a_review_without_a_reason_is_one_line_and_leaves_the_row(
    browser: Any, folder: Path
) -> None:
    answer = mark(browser)
    assert answer.status_code == 422
    assert "Say what it should be" in answer.text and "why it is wrong" in answer.text
    assert answer.headers["HX-Retarget"] == "#say"
    assert not list(all_reviews(folder / "landing"))


def test_a_measure_can_be_judged(browser: Any) -> None:
    fields = {"id": "ann-1", "name": "dead_air_s", "verdict": "wrong", "reason": "music"}
    answer = browser.post(
        "/call/review-measure", data=fields | {"should_be": "0"}, headers=FROM_HERE
    )
    assert answer.status_code == 303
    assert "✗ wrong, should be 0" in browser.get("/call", params={"id": "ann-1"}).text


def test_comments_and_missed_cues_are_kept_beside_the_warehouse(browser: Any, folder: Path) -> None:
    assert "well said" in comment(browser).text
    missed = {"kind": "missed_cue", "label": "fear_anxiety", "text": "my card", "start_s": "7"}
    assert "missed feeling, fear, anxiety" in comment(browser, **missed).text
    put(folder, call("later"))
    (folder / "w.duckdb").unlink()
    put(folder)
    page = browser.get("/call", params={"id": "ann-1"}).text
    assert "well said" in page and "my card" in page, "they outlive a rebuilding"
    assert comment(browser, start_s="0:99:99:1").status_code == 422
    assert "The call lasts 0:20, 0:21 is after it" in comment(browser, start_s="21").text
    assert "lasts 0:20, 9:59.5 is after" in comment(browser, start_s="9:59.5").text
    assert "Write the time as 0:11" in comment(browser, start_s="9:99").text, "no time"
    assert "Write something first" in comment(browser, text=" ").text
    assert "At most 2000 characters" in comment(browser, text="a" * 2001).text
    assert comment(browser, kind="other").status_code == 422
    assert comment(browser, text=" ").status_code == 422


def test_ones_own_comment_is_changed_and_deleted(served: Served) -> None:
    rea, rob = (served.logged_in(Role.REVIEWER, name) for name in ("rea", "rob"))
    change = {"id": "ann-1", "text": "well asked"}
    shown = comment(rea).text
    (number,) = re.findall(r'name="comment" value="(\d+)"', shown)
    others = rob.get("/call?id=ann-1").text
    assert "well said" in others and "/call/comment-change" not in others, "it is rea's"
    for fields in ({"comment": number}, {"comment": number, "do": "delete"}, {"comment": "x"}):
        said = rob.post("/call/comment-change", data=change | fields, headers=FROM_HERE)
        assert said.status_code == 404 and "or it is not yours" in said.text
    elsewhere = {"id": "bob-1", "comment": number, "do": "delete"}
    assert rea.post("/call/comment-change", data=elsewhere, headers=FROM_HERE).status_code == 404
    empty = change | {"comment": number, "text": " "}
    assert rea.post("/call/comment-change", data=empty, headers=FROM_HERE).status_code == 422
    part = FROM_HERE | {"HX-Request": "true"}
    changed = rea.post("/call/comment-change", data=change | {"comment": number}, headers=part)
    assert "well asked" in changed.text and "well said" not in changed.text
    gone = {"id": "ann-1", "comment": number, "do": "delete"}
    assert rea.post("/call/comment-change", data=gone, headers=FROM_HERE).status_code == 303
    assert "Nobody has commented yet" in rob.get("/call?id=ann-1").text
    noted = [row["action"] for row in served.site.store.read(sa.select(audit))]
    assert noted.count("changed a comment") == noted.count("deleted a comment") == 1


def test_counts_by_rule_are_not_called_what_a_model_judges(tmp_path: Path) -> None:
    reason = "the agent made no affective statement"
    answered = cue(1, 3.2, 5.0, "I am worried", answer="affective", answer_turn_index=2)
    metrics = [measured("affective", "B", 0.0), missing_metric("empathy_to_action", None, reason)]
    put(tmp_path, audible(tmp_path, "ann-1", cues=[answered], metrics=metrics))
    with serving(tmp_path) as served:
        page = " ".join(served.alone().get("/call?id=ann-1").text.split())
    assert "statements of feeling, by rule</a>" in page and ">affective</a>" not in page
    assert "no rule found a statement of feeling by the agent" in page and reason not in page


def test_a_story_that_was_not_interrupted_is_not_called_one_before_an_interruption(
    tmp_path: Path,
) -> None:
    calls = [
        call(name, metrics=[measured("opening_story_s", None, 8.5, observations=n)])
        for name, n in (("whole", 0), ("cut", 1))
    ]
    put(tmp_path, *calls)
    with serving(tmp_path) as served:
        shown = [text_of(served.alone().get(f"/call?id={each}")) for each in ("whole", "cut")]
    assert ["not interrupted" in each for each in shown] == [True, False]
    where = ["--warehouse", str(tmp_path / "w.duckdb")]
    printed = [CliRunner().invoke(app, ["show", each, *where]).output for each in ("whole", "cut")]
    assert ["not interrupted" in each for each in printed] == [True, False]


def test_sure_is_told_where_it_is_below_certain(tmp_path: Path) -> None:
    sure_of = {"hold_s": 1.0, "dead_air_s": 0.8}
    metrics = [replace(measured(n, None, 1.0), confidence=c) for n, c in sure_of.items()]
    put(tmp_path, call("c", metrics=metrics))
    with serving(tmp_path) as served:
        page = served.alone().get("/call?id=c").text
    for name, told in (("hold_s", ""), ("dead_air_s", "80%")):
        row = page.partition(f'id="m-{name}-call"')[2].partition("</tr>")[0]
        assert re.findall(r'<td class="n">(.*?)</td>', row, re.DOTALL)[1] == told


def test_what_review_overturned_is_beside_the_machines_rate(programme: Programme) -> None:
    fields = {"id": "bob-1", "start_s": "3.2", "verdict": "wrong", "reason": "she reads aloud"}
    said = send(programme.rea, "/call/review-cue", **fields, should_be="no_cue")
    assert said.status_code == 303
    told = "0 of 1 corrected by review 0 of 0"
    assert told in text_of(programme.rea.get("/call?id=bob-1"))
    people = text_of(programme.rea.get("/people"))
    assert "0 of 1 ✎ 0 of 0 corrected by review 0 of 0" in people, "short, in full on a click"
    for page in ("/team?id=red", "/agent?id=bob"):
        assert "corrected by review 0 of 0" in text_of(programme.rea.get(page))
    report = text_of(programme.lea.get("/report?agent=bob"))
    assert "0 of 1 corrected by review 0 of 0" in report
    assert "corrected" not in text_of(programme.lea.get("/report?agent=agent-1"))
    for page, machine, people in (
        ("/calls?agent=bob", "0 of 1", "0 of 0"),
        ("/team?id=red", "0 of 2", "0 of 1"),
        ("/agent?id=bob", "0 of 1", "0 of 0"),
        ("/report?agent=bob", "0 of 1", "0 of 0"),
    ):
        rows = re.findall(r"<tr[ >].*?</tr>", programme.lea.get(page).text, re.DOTALL)
        found = [row for row in rows if machine in row and ">2026-11-1" in row]
        assert len(found) == 1 and f"corrected by review {people}" in found[0], page
    together = programme.lea.get("/agent?id=bob").text.partition("Worth hearing together")[2]
    assert "listener says this is wrong (rea)" in together
    assert "listener says this is wrong (rea)" in programme.lea.get("/report?agent=bob").text
    send(programme.rob, "/call/review-cue", id="bob-1", start_s="3.2", verdict="right")
    assert "corrected" not in text_of(programme.rea.get("/people")), "they differ: it stays"
    fields["reason"] = "so it was"
    send(programme.rob, "/call/review-cue", **fields, should_be="no_cue")
    assert "0 of 1 ✎ 0 of 0 corrected by review 0 of 0" in text_of(programme.rea.get("/people"))


def test_a_feeling_that_listeners_missed_stands_beside_the_number(programme: Programme) -> None:
    told = "listeners noted 1 feeling that the machine missed: it is not counted"
    fields = {"id": "c3", "kind": "missed_cue", "label": "fear_anxiety", "start_s": "3"}
    pages = ("/call?id=c3", "/calls?agent=agent-0", "/agent?id=agent-0", "/report?agent=agent-0")
    assert all(told not in text_of(programme.lea.get(page)) for page in pages)
    assert send(programme.rea, "/call/comment", **fields, text="my card").status_code == 303
    for page in (*pages, "/team?id=blue"):
        assert told in text_of(programme.lea.get(page)), page
    assert "listeners noted" not in text_of(programme.lea.get("/agent?id=agent-1"))


def test_a_feeling_and_its_answer_are_corrected_together(browser: Any, folder: Path) -> None:
    row = mark(
        browser, reason="sad, and she said so", feeling="sadness_disappointment", answer="affective"
    )
    assert row.status_code == 200, row.text
    assert (
        "should be <strong>sadness, disappointment + felt with the customer</strong>"
        in " ".join(row.text.split())
    )
    (review,) = all_reviews(folder / "landing")
    assert review.should_be == "sadness_disappointment+affective"
    page = browser.get("/call?id=ann-1").text
    assert "corrected by review 1 of 1" in page, "the answer counts, as if it were said alone"
    assert "corrected by review 1 of 1" in browser.get("/calls?days=all").text
    assert "corrected by review 1 of 1" in browser.get("/agent?id=ann").text
    both = mark(browser, reason="small talk", feeling="no_cue", answer="affective")
    assert both.status_code == 422 and both.headers["X-Field"] == "answer"
    assert "nothing can have become of it" in both.text
    none = mark(browser, reason="small talk", feeling="no_cue")
    assert "should be <strong>no feeling</strong>" in none.text
    assert "corrected by review 0 of 0" in browser.get("/call?id=ann-1").text
    refused = mark(browser, reason="x", feeling="fear_anxiety", answer="nice")
    assert refused.status_code == 422


def test_a_wrong_feeling_is_corrected_and_the_rate_above_it_at_once(
    browser: Any, folder: Path
) -> None:
    empty = mark(browser, reason="it is wrong")
    assert empty.status_code == 422 and "Say what it should be" in empty.text
    assert empty.headers["X-Field"] == "feeling" and not list(all_reviews(folder / "landing"))
    page = browser.get("/call?id=ann-1").text
    assert page.count('id="answered-corrected"') == 1 and "hx-swap-oob" not in page
    above = r'<span id="answered-corrected" hx-swap-oob="true">(.*)</span>$'
    row = mark(browser, reason="she did", answer="affective").text
    assert "corrected by review 1 of 1" in re.findall(above, row, re.DOTALL)[0]
    row = mark(browser, reason="she waved it away", answer="dismissed").text
    assert re.findall(above, row, re.DOTALL)[0].strip() == "", "0 of 1 as it was: no news"
    for place in ("/call?id=ann-1", "/calls?days=all"):
        assert 'class="corrected"' not in browser.get(place).text, place


def call_it_wrong(folder: Path) -> None:
    """Land a verdict as it could once be given: without what is true instead."""
    judgement = Judgement("nora", Verdict.WRONG, "it is wrong", "affective")
    review = review_cue(folder / "w.duckdb", folder / "landing", "ann-1", 3.2, judgement)
    write_review(
        replace(review, should_be=None, reviewed_at=review.reviewed_at + timedelta(seconds=1)),
        folder / "landing",
    )


def test_an_older_verdict_that_says_nothing_else_is_told_beside_the_rate(
    browser: Any, folder: Path
) -> None:
    call_it_wrong(folder)
    told = "listeners say that 1 feeling is wrong, but not what would be right: the numbers stay"
    for place in ("/call?id=ann-1", "/calls?days=all"):
        assert text_of(browser.get(place)).count(told) == 1, place


def test_answers_are_in_plain_words_with_what_they_mean(reading: Any) -> None:
    page = reading.get("/call?id=ann-1").text
    assert "felt with the customer</option>" in page and ">affective</option>" not in page
    assert "felt with the customer <span" in page and "(affective)" in page, "explained beside"
    assert "What the words for answers mean" in reading.get("/measures").text


def test_no_answer_says_that_it_takes_the_feeling_out_of_the_rate(browser: Any) -> None:
    page = text_of(browser.get("/call?id=ann-1"))
    told = "could not be answered: no agent spoke after it (not counted)"
    assert f"{told} (no_answer)" in page, "explained beside"
    assert "agent said nothing more in the call after it: the feeling is taken out" in page
    row = mark(browser, reason="the line broke off", answer="no_answer").text
    assert f"should be <strong>{told}</strong>" in row
    assert "corrected by review 0 of 0" in text_of(browser.get("/call?id=ann-1"))


def test_the_feeling_and_what_became_of_it_are_judged_apart(browser: Any, folder: Path) -> None:
    def told() -> list[str]:
        page = text_of(browser.get("/calibrations")).partition("The machine is right")[2]
        return re.findall(r"(the feeling|what became of it) 1 1 (\d+)%", page)

    marked = mark(browser, reason="she did answer", answer="affective").text
    told_there = (
        '<span id="reviewed-0" hx-swap-oob="true"><span class="verdict wrong">✗ marked wrong'
    )
    assert told_there in marked, "in the transcript, at once"
    assert (
        '<span id="reviewed-0"><span class="verdict wrong">' in browser.get("/call?id=ann-1").text
    )
    assert told() == [("what became of it", "0")], "nobody judged the feeling"
    mark(browser, reason="sad", feeling="sadness_disappointment")
    assert told() == [("the feeling", "0")], "nobody judged what became of it"
    mark(browser, reason="sad", feeling="sadness_disappointment", answer="ignored")
    assert told() == [("the feeling", "0"), ("what became of it", "100")], "as found, by choice"
    same = mark(browser, reason="none", feeling="fear_anxiety", answer="ignored")
    assert same.status_code == 422 and "This is what the machine found" in same.text
    mark(browser, reason="both", feeling="sadness_disappointment", answer="dismissed")
    assert told() == [("the feeling", "0"), ("what became of it", "0")]
    mark(browser, reason="small talk", feeling="no_cue")
    assert told() == [("the feeling", "0")], "nothing can have become of it"
    mark(browser, verdict="right")
    assert told() == [("the feeling", "100"), ("what became of it", "100")]
    call_it_wrong(folder)
    assert told() == [], "nobody says what of it is wrong"


def test_what_is_1_or_0_is_said_as_yes_or_none_found(tmp_path: Path) -> None:
    said = [
        rate("next_step", None, 0, 1, no_answer=""),
        rate("expectation_set", None, 1, 1, no_answer=""),
    ]
    put(tmp_path, audible(tmp_path, "ann-1", metrics=said))
    with serving(tmp_path) as served:
        page = served.logged_in(Role.REVIEWER).get("/call?id=ann-1").text
    cells = dict(re.findall(r'id="m-(\w+)-call">.*?<td class="n">([^<]+)<?', page, re.DOTALL))
    shown = {name: text.strip() for name, text in cells.items()}
    assert shown == {"next_step": "none found", "expectation_set": "yes"}


def test_a_verdict_is_withdrawn_and_rates_and_marks_follow(
    served: Served, browser: Any, folder: Path
) -> None:
    rea = served.logged_in(Role.REVIEWER, "rea")
    cue = {"id": "ann-1", "start_s": "3.2"}
    nothing = rea.post("/call/review-cue", data=cue | {"verdict": "withdrawn"}, headers=FROM_HERE)
    assert nothing.status_code == 422 and "has no verdict here to withdraw" in nothing.text
    said = cue | {"verdict": "wrong", "reason": "she did", "answer": "affective"}
    shown = rea.post("/call/review-cue", data=said, headers=FROM_HERE | {"HX-Request": "true"}).text
    assert (
        "Withdraw my verdict" in shown and 'class="corrected">corrected by review 1 of 1' in shown
    )
    assert "Withdraw my verdict" not in browser.get("/call?id=ann-1").text, "it is rea's"
    withdrawn = cue | {"verdict": "withdrawn"}
    shown = rea.post(
        "/call/review-cue", data=withdrawn, headers=FROM_HERE | {"HX-Request": "true"}
    ).text
    assert 'class="verdict' not in shown and 'class="corrected"' not in shown
    for page in ("/call?id=ann-1", "/calls?days=all", "/agent?id=ann", "/feelings"):
        told = rea.get(page).text
        assert 'class="corrected"' not in told and "listeners say" not in told, page
    assert [review.verdict for review in all_reviews(folder / "landing")] == ["wrong", "withdrawn"]
    assert rea.post("/call/review-cue", data=withdrawn, headers=FROM_HERE).status_code == 422
    noted = served.site.store.read(sa.select(audit).where(audit.c.action == "reviewed"))
    assert noted[-1]["detail"] == "cue 3.2 s: withdrawn"
    assert "withdrawn" in str(ask(folder / "w.duckdb", "FROM review_detail").rows)
    assert ask(folder / "w.duckdb", "FROM review_summary").rows == ()


def test_a_wrong_measure_says_what_it_should_be_or_that_nobody_can_know(
    browser: Any, folder: Path
) -> None:
    sent = {"id": "ann-1", "name": "dead_air_s", "verdict": "wrong", "reason": "music"}
    part = FROM_HERE | {"HX-Request": "true"}
    empty = browser.post("/call/review-measure", data=sent, headers=part)
    assert empty.status_code == 422 and empty.headers["X-Field"] == "should_be"
    assert "Say what it should be, or that it cannot be known" in empty.text
    both = browser.post(
        "/call/review-measure", data=sent | {"unknown": "1", "should_be": "2"}, headers=part
    )
    assert both.status_code == 422 and not list(all_reviews(folder / "landing"))
    row = browser.post("/call/review-measure", data=sent | {"unknown": "1"}, headers=part)
    assert "should be cannot be known" in text_of(row)
    (review,) = all_reviews(folder / "landing")
    assert review.should_be == "cannot_be_known"
    undone = browser.post(
        "/call/review-measure", data=sent | {"verdict": "withdrawn"}, headers=part
    )
    assert undone.status_code == 200 and 'class="verdict' not in undone.text


WANTED = [
    ("Hello, good morning, my name is Anna Smith.", "I lost my card.", "I lost my card."),
    ("Hi there. This is Tom speaking. I want to cancel my contract.", "Yes.", "I want to cancel"),
    ("Yes, hello, how are you doing today?", "My bill is wrong again, please.", "My bill is wrong"),
    ("Hello, I would like to move my flight.", "Yes.", "Hello, I would like to move my flight."),
    ("My name is Ann Lee and I was charged twice.", "Yes.", "My name is Ann Lee and I was charged"),
    ("I am so sad about all of this.", "Yes.", "I am so sad about all of this."),
]


def test_what_the_customer_wanted_is_no_greeting_and_no_name(tmp_path: Path) -> None:
    made = [
        call(
            f"c{i}",
            path=f"/calls/c{i}.wav",
            says=[SAYS[0], (*SAYS[1][:-1], first), SAYS[2], (*SAYS[3][:-1], second)],
            duration_s=20.0,
        )
        for i, (first, second, _) in enumerate(WANTED)
    ]
    put(tmp_path, *made)
    with serving(tmp_path) as served:
        client = served.alone()
        for i, (_, _, wanted) in enumerate(WANTED):
            page = text_of(client.get(f"/call?id=c{i}"))
            said = re.search(r"What the customer wanted [\d:]+ “([^”]*)”", page)
            assert said and said[1].startswith(wanted), page
