"""A quality programme on the pages: coaching, calibration, samples, clips."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest

from support.pages import Programme, Served, answers, number_in, send, text_of
from warmline.query.questions import ask
from warmline.web import form_editor
from warmline.web.accounts import Role
from warmline.web.scorecards import Form, checked_form, forms
from warmline.web.store import assignments, coaching, now


def evaluations_in(programme: Programme, call_id: str, columns: str) -> list[tuple[Any, ...]]:
    """What the warehouse, as a query sees it, has of the evaluations of a call, oldest first."""
    sql = f"SELECT {columns} FROM evaluation_detail WHERE call_id = '{call_id}' ORDER BY noted_at"
    return list(ask(programme.served.site.warehouse.path, sql).rows)


def test_goals_have_a_day_and_an_outcome_and_the_agent_reads_all(programme: Programme) -> None:
    lea, ann = programme.lea, programme.ann
    coach = {"id": "ann", "text": "name the feeling first"}
    assert send(lea, "/agent/coach", **coach, kind="goal").status_code == 422, "a goal has a day"
    today = now().date()
    late = today - timedelta(days=3)
    over = send(lea, "/agent/coach", **coach, kind="goal", due=str(late))
    assert over.status_code == 422 and f"{late} is over" in over.text
    assert send(lea, "/agent/coach", **coach, kind="goal", due=str(today)).status_code == 303
    programme.served.site.store.write(coaching.update().values(due=late))
    note = {"id": "ann", "text": "calm voice", "kind": "recognition", "call": "ann-1", "at": "0:09"}
    assert send(lea, "/agent/coach", **note).status_code == 303
    foreign = send(lea, "/agent/coach", **note | {"call": "bob-1"})
    assert foreign.status_code == 422 and "none of this agent" in foreign.text
    page = ann.get("/agent?id=ann")
    assert f"was due {late}" in text_of(page) and "calm voice" in page.text
    assert 'data-call="ann-1" data-start="9.0"' in page.text, "with the moment, to be played"
    assert "/agent/goal" not in page.text, "the agent does not close it"
    (number,) = re.findall(r'name="goal" value="(\d+)"', lea.get("/agent?id=ann").text)
    ended = {"goal": number, "outcome": "reached", "text": "in 4 of 5 calls"}
    assert send(lea, "/agent/goal", **ended).status_code == 303
    assert send(lea, "/agent/goal", **ended).status_code == 422, "once"
    assert "reached" in text_of(ann.get("/agent?id=ann"))
    for other in (programme.rea, programme.served.logged_in(Role.RESEARCHER)):
        name = "ann" if other is programme.rea else programme.served.site.pseudonym("ann")
        assert "calm voice" not in other.get("/agent", params={"id": name}).text


def begun(programme: Programme, **changed: str) -> str:
    fields = {"title": "week 47", "form": "conversation", "n": "3", "by": "any", "seed": "4"}
    fields |= {"person.1": "rea", "person.2": "rob", "queue": "bills", "days": "all"} | changed
    answer = send(programme.lea, "/calibration/begin", **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_calibration_is_blind_until_all_have_scored(programme: Programme) -> None:
    rea, rob, lea = programme.rea, programme.rob, programme.lea
    address = begun(programme)
    calls = sorted(set(re.findall(r"/call\?id=([\w-]+)", rea.get(address).text)))
    assert len(calls) == 3
    assert all(f"id={name}&amp;form=conversation" in rea.get("/work").text for name in calls)
    for i, name in enumerate(calls):
        fields = answers(programme.served, greeted="no" if i else "yes")
        assert send(rea, "/call/score", id=name, save="final", **fields).status_code == 303
    for who in (rob, lea):
        assert "Not scored yet" in who.get("/call", params={"id": calls[1]}).text, "blind"
        assert "89%" not in who.get(address).text
        assert calls[1] not in who.get("/scores.csv").text
    assert not evaluations_in(programme, calls[1], "evaluator"), "open, and no row of it"
    blind = rob.get("/call/score", params={"id": calls[0], "form": "conversation"}).text
    assert "data-offered" not in blind and "Take over" not in blind, "every answer is one's own"
    taken = answers(programme.served) | {"next_step.by": "machine"}
    refused = send(rob, "/call/score", id=calls[0], save="final", **taken)
    assert refused.status_code == 422 and "every answer is your own" in refused.text
    assert programme.ann.get(address).status_code == 403
    for name in calls:
        send(rob, "/call/score", id=name, save="final", **answers(programme.served))
    rounds = text_of(rob.get("/calibrations"))
    assert "week 47 ■ closed 6 of 6 scores" in rounds
    page = text_of(rob.get(address))
    assert "closed" in page and "89%" in page, "the last score opens it"
    questions = len(forms(programme.served.site.warehouse.path)["conversation"].questions)
    same = 1 - 2 / (3 * questions)
    assert f"All questions {3 * questions} {same:.2f}" in page
    assert "Greeted the customer and said who is speaking 3 0.33" in page
    assert "cannot be said" in page, "of a question that all answered alike"
    assert calls[1] in lea.get("/scores.csv").text
    rows = evaluations_in(programme, calls[1], "evaluator, calibration_id IS NOT NULL")
    assert sorted(rows) == [("rea", True), ("rob", True)], "of both, when the last has scored"


def test_a_draft_does_not_count_as_what_was_said_blind(programme: Programme) -> None:
    rea, rob = programme.rea, programme.rob
    address = begun(programme, n="1", seed="77")
    (name,) = set(re.findall(r"/call\?id=([\w-]+)", rea.get(address).text))
    fields = answers(programme.served)
    send(rea, "/call/score", id=name, save="draft", form=fields["form"], greeted="no")
    for who in (rea, rob):
        send(who, "/call/score", id=name, save="final", **fields)
    send(rob, "/call/score", id=name, save="draft", **fields)
    pages = [text_of(who.get(address)) for who in (rea, rob, programme.lea)]
    shown = {page[page.index("Call rea rob") : page.index("Data as of")] for page in pages}
    assert len(shown) == 1 and "100% 100%" in shown.pop(), "all see the same"


def test_a_score_of_another_round_is_not_taken_for_a_blind_one(programme: Programme) -> None:
    address = begun(programme, n="1", seed="78")
    (name,) = set(re.findall(r"/call\?id=([\w-]+)", programme.rea.get(address).text))
    form = programme.rea.get("/call/score", params={"id": name, "form": "conversation"}).text
    (meant,) = re.findall(r'name="calibration" value="(\d*)"', form)
    assert meant == number_in(address)
    assert send(programme.lea, "/calibration/close", id=meant).status_code == 303
    late = answers(programme.served, calibration=meant)
    refused = send(programme.rea, "/call/score", id=name, save="final", **late)
    assert refused.status_code == 409 and "closed since the form was opened" in refused.text
    late["calibration"] = ""
    assert send(programme.rea, "/call/score", id=name, save="final", **late).status_code == 303


def test_a_lead_can_close_a_calibration(programme: Programme) -> None:
    address = begun(programme, n="2", seed="9")
    waiting = programme.rea.get("/work").text.count(f'href="{address}"')
    assert waiting == 2
    number = number_in(address)
    assert send(programme.rea, "/calibration/close", id=number).status_code == 403
    assert send(programme.lea, "/calibration/close", id=number).status_code == 303
    assert "No call has been scored by two people" in text_of(programme.lea.get(address))
    assert f'href="{address}"' not in programme.rea.get("/work").text
    one = {"title": "t", "form": "conversation", "n": "1", "seed": "1", "person.1": "rea"}
    assert "at least 2 people" in send(programme.lea, "/calibration/begin", **one).text


def drawn(programme: Programme, **fields: str) -> list[str]:
    """Draw into rob's queue, and take out what was drawn; returns the calls in order."""
    fields = {"queue": "bills", "days": "all", "person": "rob", **fields}
    assert send(programme.lea, "/sample", **fields).status_code == 303
    page = programme.rob.get("/work").text
    rows = [row for row in page.split("<tr>") if 'name="assignment"' in row]
    found = [re.findall(r"/call\?id=([\w-]+)", row)[0] for row in rows]
    for number in re.findall(r'name="assignment" value="(\d+)"', page):
        assert send(programme.rob, "/done", assignment=number).status_code == 303
    return found


def test_a_seed_draws_the_same_calls_and_each_agent_its_share(programme: Programme) -> None:
    first = drawn(programme, n="4", seed="7")
    assert len(first) == 4 and drawn(programme, n="4", seed="7") == first
    assert drawn(programme, n="4", seed="8") != first
    by_agent = drawn(programme, n="2", seed="1", by="agent")
    of = [int(name[1:]) % 3 for name in by_agent if name.startswith("c")]
    assert sorted(of) == [0, 0, 1, 1, 2, 2]
    assert len(drawn(programme, n="3", seed="1", reason="address")) == 3
    refused = send(programme.lea, "/sample", n="0", seed="1")
    assert refused.status_code == 422 and "A whole number from 1" in refused.text
    nothing = send(programme.lea, "/sample", n="1", seed="1", queue="none")
    assert nothing.status_code == 422 and "loosen one" in nothing.text
    other = send(programme.rea, "/sample", n="1", seed="1", days="all", person="rob")
    assert other.status_code == 422, "a reviewer fills the own queue only"


def test_clips_are_kept_in_order_and_searches_by_name(programme: Programme) -> None:
    rea = programme.rea
    chosen = {"clip.1": "3.2 9.0 ann-1", "clip.2": "14.5 17 bob-1", "title": "first feelings"}
    made = send(rea, "/playlist/add", **chosen)
    assert made.status_code == 303
    address = made.headers["location"]
    more = {"call": "c1", "from": "0:02", "to": "0:05", "text": "short", "title": ""}
    send(rea, "/playlist/add", playlist=number_in(address), **more)
    page = rea.get(address).text
    assert re.findall(r'data-call="([\w-]+)" data-start="([\d.]+)"', page) == [
        ("ann-1", "3.2"),
        ("bob-1", "14.5"),
    ]
    assert "0:02 · no sound" in page, "a recording that is gone is said"
    assert "Play one after the other" in page and address in programme.lea.get("/work").text
    late = send(rea, "/playlist/add", **{"clip.1": "21 25 ann-1", "title": "t"})
    assert late.status_code == 422 and "The call lasts 0:20, " in late.text
    cut = send(rea, "/playlist/add", **{"clip.1": "18 500 ann-1", "title": "cut"})
    assert 'data-start="18.0" data-end="20.0"' in rea.get(cut.headers["location"]).text
    for bad in ("9 3 ann-1", "x y ann-1", "0 5 nobody", "0 9999 ann-1"):
        answer = send(rea, "/playlist/add", **{"clip.1": bad, "title": "t"})
        assert answer.status_code in (404, 422), bad
    (number, *_) = re.findall(r'name="clip" value="(\d+)"', page)
    assert 'name="clip"' not in programme.rob.get(address).text, "another's clips"
    refused = send(programme.rob, "/playlist/drop", clip=number)
    assert refused.status_code == 403 and 'data-call="ann-1"' in rea.get(address).text
    joined = {"playlist": number_in(address), "clip.1": "1 2 c2", "title": ""}
    assert send(programme.rob, "/playlist/add", **joined).status_code == 303
    assert programme.rob.get(address).text.count('name="clip"') == 1, "the own one"
    assert programme.lea.get(address).text.count('name="clip"') == 4, "a lead, all"
    send(rea, "/playlist/drop", clip=number)
    assert 'data-call="ann-1"' not in rea.get(address).text
    saved = {"title": "bills on hold", "query": "queue=bills&measure=hold&from=2026-11-01&x=1"}
    assert send(rea, "/searches", **saved).status_code == 303
    found = re.findall(r'href="(/calls\?[^"]*measure=hold[^"]*)"', rea.get("/work").text)
    assert found == ["/calls?queue=bills&amp;measure=hold&amp;from=2026-11-01"]
    assert "bills on hold" not in programme.rob.get("/work").text
    (number,) = re.findall(r'name="forget" value="(\d+)"', rea.get("/work").text)
    send(programme.rob, "/searches", forget=number)
    assert "bills on hold" in rea.get("/work").text, "somebody else's"
    send(rea, "/searches", forget=number)
    assert "bills on hold" not in rea.get("/work").text


def test_what_was_done_by_mistake_is_put_back(programme: Programme) -> None:
    fields = {"queue": "bills", "days": "all", "person": "rob", "n": "1", "seed": "9"}
    send(programme.lea, "/sample", **fields)
    page = programme.rob.get("/work").text
    assert re.search(r"Random, 1 of \d+, draw 9", page) and "Draw number" in page
    (number,) = re.findall(r'name="assignment" value="(\d+)"', page)
    send(programme.rob, "/done", assignment=number)
    done = programme.rob.get("/work").text
    assert 'name="assignment"' not in done and f'name="again" value="{number}"' in done
    assert send(programme.rea, "/done", again=number).status_code == 404, "it is rob's"
    assert send(programme.rob, "/done", again=number).status_code == 303
    assert f'name="assignment" value="{number}"' in programme.rob.get("/work").text
    assert send(programme.rob, "/done", again=number).status_code == 404, "it waits already"
    send(programme.rob, "/done", assignment=number)


def test_an_older_sample_says_draw_as_newer_ones_do(programme: Programme) -> None:
    old = programme.served.logged_in(Role.REVIEWER, "old")
    send(old, "/sample", n="1", seed="7")
    assert "Random, 1 of " in text_of(old.get("/work"))
    older = assignments.update().where(assignments.c.user_name == "old")
    programme.served.site.store.write(older.values(why="random, 1 of 9, seed 7"))
    assert "Random, 1 of 9, draw 7" in text_of(old.get("/work"))
    assert "Ziehung 7" in text_of(old.get("/work", headers={"Accept-Language": "de"}))


def test_the_next_call_to_score_says_where_it_comes_from(served: Served) -> None:
    rea, lea = served.logged_in(Role.REVIEWER, "rea"), served.logged_in(Role.LEAD, "lea")
    send(lea, "/sample", n="5", seed="1", days="all", person="rea")
    work = rea.get("/work").text
    first, second = re.findall(r'<th scope="row"><a href="/call\?id=([\w-]+)"', work)[:2]
    saved = send(rea, "/call/score", id=first, save="final", **answers(served))
    shown = text_of(rea.get(saved.headers["location"]))
    told = f"Score the next call: {second} It is the next of your calls to listen to : "
    assert told in shown
    assert shown.partition(told)[2].partition(", lea")[0].endswith("draw 1")


def test_an_own_decision_is_not_called_something_given_since(served: Served) -> None:
    rea, lea = served.logged_in(Role.REVIEWER, "rea"), served.logged_in(Role.LEAD, "lea")
    ann = served.logged_in(Role.AGENT, "ann", "ann")
    scored = answers(served, greeted="no")
    saved = send(rea, "/call/score", id="ann-1", save="final", **scored)
    number = number_in(saved.headers["location"])
    send(ann, "/evaluation/answer", id=number, step="appealed", text="I did greet her")
    decision = {"id": number, "step": "overturned", "text": "she did"}
    done = send(lea, "/evaluation/decide", **decision, **answers(served))
    own = text_of(lea.get(done.headers["location"]))
    assert "These are the answers of your decision; the version before it is kept." in own
    assert "newer version" not in own
    assert "There is a newer version than the one" in text_of(rea.get(done.headers["location"]))


def test_a_form_is_changed_on_a_page_and_is_a_file_like_any_other(served: Served) -> None:
    lead, path = served.logged_in(Role.LEAD), served.site.warehouse.path
    page = lead.get("/form?name=quick").text
    fields = {
        re.search(r'name="([^"]+)"', tag)[1]: html.unescape(re.search(r'value="([^"]*)"', tag)[1])  # type: ignore[index]
        for tag in re.findall(r"<input[^>]*>", page)
        if 'type="checkbox"' not in tag or " checked" in tag
    }
    fields |= {"title": "Ours", "weight.1": "2,5", "text.0": "", "order.2": "0"}
    fields |= {
        "text.3": "Said “goodbye” \\ thanks",
        "section.3": "End",
        "measure.3": "Thanks, loudness on the line, median, pitch_median_hz",
    }
    assert fields["measure.1"] == "feelings answered", "as the pages call it"
    wrong = send(lead, "/form", **fields | {"measure.3": "feeling answered"})
    assert wrong.headers["x-field"] == "measure.3"
    assert (
        "No measure is called &#39;feeling answered&#39;; the closest name: feelings answered"
        in wrong.text
    )
    assert not path.with_suffix(".forms").exists(), "nothing is kept of what is wrong"
    saved = send(lead, "/form", **fields)
    assert "The form is saved" in lead.get(saved.headers["location"]).text
    kept = forms(path)
    assert kept.keys() == {"quick", "conversation"}, "no form is lost by having one's own"
    asked = [(q.id, q.weight, q.text, q.measures) for q in kept["quick"].questions]
    assert [q[0] for q in asked] == ["settled", "feelings_answered", "said_goodbye_thanks"]
    assert asked[1][1] == 2.5 and asked[2][2:] == (
        "Said “goodbye” \\ thanks",
        ("thanks", "level_median_db", "pitch_median_hz"),
    )
    german = lead.get("/form?name=quick", headers={"Accept-Language": "de"}).text
    assert 'value="Beantwortete Gefühle"' in german or 'value="beantwortete Gefühle"' in german
    assert kept["quick"].questions[0].text_in["de"].startswith("Hat gesagt"), "and its German"
    assert kept["quick"].content.title == "Ours" and not kept["quick"].content.title_in
    assert send(lead, "/form", **fields).status_code == 409, "it was changed since it was opened"
    reserved = {"text.0": "Text", "section.0": "S", "text.1": "Step?", "text.2": "Text"}
    begun = send(lead, "/form", title="Ours", **reserved)
    assert begun.headers["location"] == "/form?name=ours&saved=1"
    assert [q.id for q in forms(path)["ours"].questions] == ["text_2", "step_2", "text_3"]
    since = forms(path)["ours"].sha256
    assert send(lead, "/form", name="ours", since=since, do="remove").status_code == 303
    assert forms(path).keys() == {"quick", "conversation"}


def test_all_that_is_asked_at_once_is_kept_or_refused(served: Served) -> None:
    lead, path = served.logged_in(Role.LEAD), served.site.warehouse.path

    def asked(questions: int) -> dict[str, str]:
        texts = {f"text.{n}": f"Asked {n}" for n in range(questions)}
        return {"title": f"Of {questions}", "section.0": "S"} | texts

    assert send(lead, "/form", **asked(35)).headers["location"] == "/form?name=of_35&saved=1"
    kept = [question.text for question in forms(path)["of_35"].questions]
    assert kept == [f"Asked {n}" for n in range(35)]
    assert 'value="Asked 34"' in lead.get("/form?name=of_35").text
    more = send(lead, "/form", **asked(101))
    assert more.status_code == 422 and "At most 100 questions" in more.text
    assert more.headers["x-field"] == "text.100"
    most = send(lead, "/form", **asked(1001))
    assert most.status_code == 413 and "at most 1000 fields" in most.text
    assert "of_101" not in forms(path)
    clips = {f"clip.{n}": "1 2 ann-1" for n in range(201)}
    refused = send(lead, "/playlist/add", title="t", **clips)
    assert refused.status_code == 422 and "at most 200 moments" in refused.text


def test_of_two_who_save_a_form_at_once_one_is_refused(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (served.logged_in(Role.LEAD, name) for name in ("lea", "lou"))
    since = forms(served.site.warehouse.path)["quick"].sha256
    fields = {"name": "quick", "since": since, "section.0": "S", "text.0": "A"}
    meanwhile = []

    def save_meanwhile(name: str, text: str) -> Form:
        monkeypatch.undo()
        meanwhile.append(send(second, "/form", title="Lou's", **fields))
        return checked_form(name, text)

    monkeypatch.setattr(form_editor, "checked_form", save_meanwhile)  # after the look at `since`
    assert send(first, "/form", title="Lea's", **fields).status_code == 303
    (refused,) = meanwhile
    assert refused.status_code == 409 and "Somebody saves a form" in refused.text
    assert forms(served.site.warehouse.path)["quick"].content.title == "Lea's"
