"""The pages in the language that the browser asks for: every text has its German."""

import ast
import re
import string
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import sqlalchemy as sa
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from support.factories import call, cue, measured
from support.pages import (
    EVIL,
    FROM_HERE,
    Served,
    answers,
    audible,
    send,
    serving,
    text_of,
)
from support.warehouses import put
from warmline import landing
from warmline.analysis import MetricDefinition
from warmline.pipeline.stages import all_measures
from warmline.query.questions import FEELINGS
from warmline.query.reviews import ANSWERS
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import note_of_version
from warmline.web import disputes, filters, listing
from warmline.web.accounts import Right, Role
from warmline.web.call_routes import HEADLINES
from warmline.web.disputes import STEPS
from warmline.web.drawing import OVERLAP_NAMES, SILENCE_NAMES, _overlap_label, cue_sentence, trend
from warmline.web.language import (
    CATALOGUES,
    PLAIN,
    Formats,
    Sentences,
    chosen_language,
    translations,
    words,
)
from warmline.web.people import OUTCOMES
from warmline.web.site import HEADINGS
from warmline.web.store import evaluations

STATIC = Path(__file__).parents[1] / "src" / "warmline" / "web" / "static"


TEMPLATES = STATIC.parent / "templates"


def in_templates() -> set[str]:
    """Every text that the templates hand over to be translated."""
    found = set()
    for path in TEMPLATES.glob("*.html"):
        with path.open("rb") as file:
            for _, _, said, _ in babel_extract(file, ["_", "ngettext"], [], {"silent": "false"}):
                first = said[0] if isinstance(said, tuple) else said
                found |= {first} if first else set()
    return found


WEB = TEMPLATES.parent


#: What code raises or says that is no text of ours, or that nobody reads on a page.
NOT_OURS = {
    *("str(e)", "header", "note", "number", "problem", "what"),
    "str(e).split(' (`warmline')[0]",
    "str(e).replace('; say whose with --agent ID', '')",
    *("ambiguous(text, meant)", "_unknown(con, text)", "CHANGED", "note"),  # said in another module
}


OF_THE_COMMAND = {"_secret"}


def sentence_of(node: ast.expr, constants: dict[str, ast.expr]) -> str | None:
    """A text in code as the catalogue has it: its values are %(a)s, %(b)s, ..."""
    if isinstance(node, ast.Name) and node.id in constants:
        return sentence_of(constants[node.id], constants)
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return None
    letters = iter(string.ascii_lowercase)
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"%({next(letters)})s"
        for part in node.values
    )


def raised_in(path: Path) -> set[str]:
    """The messages of the errors that a module raises."""
    module = ast.parse(path.read_text())
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = set()
    for function in ast.walk(module):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function) if function.name not in OF_THE_COMMAND else ():
            is_error = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_error and node.func.id.endswith("Error") and node.args:
                said = sentence_of(node.args[-1], constants)
                assert said is not None or ast.unparse(node.args[-1]) in NOT_OURS, ast.unparse(node)
                found |= {said} if said else set()
    return found


def test_a_score_kept_before_its_form_had_german_is_read_in_german(served: Served) -> None:
    lea, german = served.logged_in(Role.LEAD, "lea"), {"Accept-Language": "de"}
    fields = answers(served)
    scored = send(lea, "/call/score", id="ann-1", save="final", **fields)
    address = scored.headers["location"]
    store = served.site.store
    (kept,) = store.read(sa.select(evaluations.c.form_text))
    english = re.sub(r"(?m)^(title|text)_in\b.*\n", "", kept["form_text"])
    assert english != kept["form_text"] and "Gespräch" not in english
    store.write(evaluations.update().values(form_text=english))
    for place in (address, "/agent?id=ann", "/call?id=ann-1"):
        page = text_of(lea.get(place, headers=german))
        assert "Gespräch" in page and "Conversation" not in page, place
    assert "Conversation" in text_of(lea.get(address))


def test_numbers_are_written_with_a_comma_in_german(browser: Any) -> None:
    german = FROM_HERE | {"Accept-Language": "de"}
    judged = {"id": "ann-1", "name": "dead_air_s", "verdict": "wrong", "reason": "Musik"}
    wrong = browser.post("/call/review-measure", data=judged | {"should_be": "x"}, headers=german)
    assert wrong.status_code == 422 and "etwa 0,5, nicht" in wrong.text
    right = browser.post("/call/review-measure", data=judged | {"should_be": "0,5"}, headers=german)
    assert right.status_code == 303, right.text
    assert "should be 0.5" in browser.get("/call?id=ann-1").text
    late = {"id": "ann-1", "kind": "comment", "text": "da", "start_s": "3,5"}
    assert browser.post("/call/comment", data=late, headers=german).status_code == 303


def test_labels_of_the_drawing_have_a_comma_in_german(tmp_path: Path) -> None:
    late = {"answer": "affective", "answer_turn_index": 2, "latency_s": 4.0}
    heard = cue(1, 3.2, 5.0, "I am worried", **late)
    cues = [replace(heard, answer_start_s=9.0, answer_end_s=11.0)]
    put(tmp_path, audible(tmp_path, "late", cues=cues, metrics=[measured("dead_air_s", None, 1.0)]))
    with serving(tmp_path) as site:
        page = site.alone().get("/call?id=late", headers={"Accept-Language": "de"}).text
    assert re.findall(r'class="latency"[^>]*>([^<]*)<', page) == ["4,0 s"]


def test_headings_of_workbooks_are_plain_and_german() -> None:
    exported = {*listing.exported_columns(), *disputes.COLUMNS, *disputes.SCORE_COLUMNS}
    assert exported - HEADINGS.keys() == set() and len(exported) > 30
    spoken = translations("de")
    same = {name for name, heading in HEADINGS.items() if spoken.gettext(heading) == heading}
    assert same <= {"agent_id", "team"}, "words that German has, too"
    assert not [heading for heading in HEADINGS.values() if "_" in heading]


def test_every_message_of_the_pages_has_a_german_one() -> None:
    known = catalogue("message").keys()
    said = set().union(*(raised_in(path) for path in WEB.glob("*.py")))
    assert len(said) > 90 and said - known == set()
    assert raised_in(WEB.parent / "query" / "reviews.py") - known == set()
    assert {*Role, *(right.value for right in Right)} - known == set()
    assert note_of_version(duckdb.connect()) in known


def test_what_drawings_say_is_german_too() -> None:
    page = SimpleNamespace(name_of=lambda party: {"A": "customer", "B": "Ben"}[party])
    shown = Sentences.of("de", "drawing")
    told = [*SILENCE_NAMES.values()]
    for kind, takes, helps in product(OVERLAP_NAMES, (True, False), (True, False)):
        row = {"kind": kind, "successful": takes, "cooperative": helps}
        row |= {"entrant": "A", "holder": "B"}
        told.append(_overlap_label(cast(Any, page), row))
    for kind, answer, latency in product(FEELINGS, (None, "ignored", "affective"), (None, 1.25)):
        row = {"kind": kind, "answer": answer, "latency_s": latency}
        told.append(cue_sentence(row | {"answered": answer == "affective"}))
    weeks = [
        {
            "week": date(2026, month, 6),
            **{"answered_rate": 0.5, "answered_low": 0.2, "answered_high": 0.8},
            **{"answered": 3.0, "answerable": 6.0},
        }
        for month in range(1, 13)
    ]
    told += [point.text for point in trend(weeks)]
    english = re.compile(r"\b(by|the|to|of|answered|after|hold|week|taken|kept|customer)\b")
    for text in told:
        german = shown.say(text)
        assert german != text and not english.search(german), (text, german)
    days = (date(2026, 3, 9), date(2026, 12, 6))
    assert [Formats("de").short_day(day) for day in days] == ["9. März", "6. Dez."]
    assert [Formats("en").short_day(day) for day in days] == ["09 Mar", "06 Dec"]
    assert shown.say("50%, 20% to 80%") == "50%, 20% bis 80%"
    assert Sentences.of("en", "drawing").say("dead air") == "dead air"


def test_lines_before_any_page_are_in_the_language_that_the_browser_asks_for(
    served: Served,
) -> None:
    german, client = {"Accept-Language": "de"}, served.client()
    elsewhere = client.get("/calls", headers=german | {"Host": "other.example"})
    assert elsewhere.status_code == 400 and elsewhere.text.startswith("Dieser Server heißt nicht")
    foreign = client.post("/login", headers=german | {"Sec-Fetch-Site": "cross-site"})
    assert foreign.text == "Die Anfrage kommt nicht von einer Seite dieses Servers\n"
    assert client.put("/login", headers=german).text == "PUT: hier nicht erlaubt\n"
    part = client.get("/calls", headers=german | {"HX-Request": "true"})
    assert part.text == "Ihre Sitzung ist zu Ende; öffnen Sie die Seite neu\n"
    assert "Your session has ended" in client.get("/calls", headers={"HX-Request": "true"}).text


def test_messages_are_in_the_language_that_the_browser_asks_for(served: Served) -> None:
    german = {"Accept-Language": "de"}
    lead, ann = served.logged_in(Role.LEAD), served.logged_in(Role.AGENT, "ann", "ann")
    day_text = lead.get("/calls?from=1.11.", headers=german)
    assert "Ein Tag wird 2026-11-20 geschrieben, nicht &#39;1.11.&#39;" in day_text.text
    assert "Ihre Rolle, Agent, darf nicht: Anrufe aller Agenten sehen" in (
        ann.get("/report", headers=german).text
    )
    assert "Kein Anruf heißt „ann-2“; am nächsten: ann-1" in (
        lead.get("/call?id=ann-2", headers=german).text
    )
    evil = lead.get("/call", params={"id": EVIL}, headers=german).text
    assert "Kein Anruf heißt" in evil and "<script>alert" not in evil
    assert "Diese Seite gibt es nicht" in lead.get("/nowhere", headers=german).text
    assert (
        "Name oder Passwort ist falsch"
        in served.client()
        .post("/login", data={"name": "x", "password": "y"}, headers=FROM_HERE | german)
        .text
    )
    page = lead.get("/call?id=ann-1", headers=german).text
    assert "Unterbrechung, Wort genommen: Agent unterbricht Kunden" in page
    assert "Angst, Sorge: nicht beantwortet" in page
    assert "Unterbrechung" not in lead.get("/call?id=ann-1").text


def catalogue(context: str | None) -> dict[str, Any]:
    """The entries of a context, by their English text."""
    with (CATALOGUES / "de.po").open("rb") as file:
        entries = [m for m in read_po(file, locale="de") if m.id and m.context == context]
    return {m.id[0] if isinstance(m.id, tuple) else m.id: m for m in entries}


def test_every_measure_is_told_in_one_plain_sentence_in_both_languages(served: Served) -> None:
    german = catalogue("plain")
    names = {measure.name for measure in all_measures()}
    assert PLAIN.keys() == names, "each measure, and no other"
    assert german.keys() == set(PLAIN.values()) and all(entry.string for entry in german.values())
    for told in PLAIN.values():
        assert told[0].isupper() and told.endswith(".") and "_" not in told, told
    lead = served.logged_in(Role.LEAD)
    page = text_of(lead.get("/measures"))
    assert "Of ten feelings that a customer showed, how many" in page
    assert (
        "Von zehn Gefühlen, die ein Kunde zeigte"
        in lead.get("/measures", headers={"Accept-Language": "de"}).text
    )


def test_german_says_everything_that_english_does() -> None:
    known = catalogue(None)
    assert in_templates() - known.keys() == set()
    told = {title for title, _ in filters.MEASURES.values()}
    told |= {title for _, _, title in HEADLINES} | {words(kind) for kind in FEELINGS}
    told |= {words(name) for name in (*ANSWERS, *STEPS, *OUTCOMES)}
    assert told - known.keys() == set(), "what code says, which templates translate"
    for context in (None, "message", "drawing"):
        for english, message in catalogue(context).items():
            german = message.string if isinstance(message.string, tuple) else (message.string,)
            for text in german:
                assert text, english
                assert sorted(re.findall(r"%\(\w+\)s|%%", text)) in (
                    sorted(re.findall(r"%\(\w+\)s|%%", english)),
                    [],
                ), english


def test_german_has_one_word_for_one_thing() -> None:
    """Words that stood beside another for the same, or that mean something else."""
    said = [m.string for context in (None, "message") for m in catalogue(context).values()]
    told = " ".join(" ".join(each) if isinstance(each, tuple) else each for each in said)
    known = "Playlist|Zuhörer|durch Prüfung berichtigt|Exporte"
    assert {*re.findall(known, told)} == {*known.split("|")}
    assert re.findall(r"Abspielliste|\bHörer\b|„nach Prüfung“|Ausfuhr|Reise", told) == []


def test_no_template_speaks_english_by_itself() -> None:
    """Whatever is left without tags and expressions is a name, not a sentence."""
    names = {"warmline", "UTC", "AC1", "CSV", "warmline serve", "0:42", "1:10"}
    for path in TEMPLATES.glob("*.html"):
        text = re.sub(r"<style>.*?</style>", "", path.read_text(), flags=re.DOTALL)
        text = re.sub(r'(?:aria-label|placeholder|alt)="([^"]*)"', r">\1<", text)
        text = re.sub(r"{{.*?}}|{%.*?%}|<[^>]*>|&[a-z]+;", "\n", text, flags=re.DOTALL)
        left = {line.strip(" ·,.:") for line in text.splitlines()}
        said = {line for line in left if re.search("[A-Za-z]{2}", line)} - names
        assert {line for line in said if not line.startswith("warmline ")} == set(), path.name


def test_a_page_is_in_the_language_that_the_browser_asks_for(reading: Any) -> None:
    german = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
    text = reading.get("/call?id=ann-1", headers=german).text
    assert '<html lang="de">' in text and "Was der Kunde wollte" in text
    assert "Angst, Sorge" in text and "nicht beantwortet" in text and "0 von 1" in text
    assert "ein gefundenes Gefühl blieb unbeantwortet" in reading.get("/calls", headers=german).text
    for accepted in ("fr,de;q=0", "en,de", "*", "", "de;q=x", "de;q=nan", "de;q=-1", "de;q=9, en"):
        assert chosen_language(accepted) == "en", accepted
    assert chosen_language("fr, de;q=0.3, en;q=0.2") == "de"
    assert chosen_language("en ; q=0.2, de ; q=0.3") == "de", "RFC 9110 lets blanks stand there"


def test_parties_components_and_ranges_are_german_too(served: Served) -> None:
    german = {"Accept-Language": "de"}
    lead = served.logged_in(Role.LEAD)
    page = lead.get("/call?id=ann-1", headers=german).text
    assert '<span class="party-name">Kunde</span>' in page
    assert '<span class="party-name">customer</span>' not in page
    report = lead.get("/report", headers=german).text
    assert re.search(r">7 Tage bis \d\d\.\d\d\.2026</a>", report)
    assert "7 days to" not in report
    assert "Name der Playlist, falls neu" in lead.get("/agent?id=ann", headers=german).text


def test_numbers_days_and_quotes_are_written_as_the_language_writes_them(reading: Any) -> None:
    german, english = Formats("de"), Formats("en")
    assert (german.number(2.425, 2), english.number(2.425, 2)) == ("2,42", "2.42")
    assert (german.percent(0.534), english.percent(0.534)) == ("53\xa0%", "53%")
    assert (german.percent(None), german.plain(3.0), german.plain(0.5)) == ("–", "3", "0,50")
    assert (german.short(1.5), german.short(2.0), english.short(1.25)) == ("1,5", "2", "1.25")
    at = datetime(2026, 11, 9, 7, 5, tzinfo=UTC)
    assert (german.minute(at), english.minute(at)) == ("09.11.2026 07:05", "2026-11-09 07:05")
    assert german.minute(date(2026, 11, 9)) == "09.11.2026" and german.day(None) == ""
    assert german.written("53%, 1.5 s, 2026-11-09, a1.2.3") == "53\xa0%, 1,5 s, 09.11.2026, a1.2.3"
    shown = reading.get("/call?id=ann-1", headers={"Accept-Language": "de"}).text
    assert "16.11.2026 09:00" in shown and "„I am worried“" in shown and "“I am" not in shown
    assert re.search(r"Stärke \d,\d von 1", shown) and re.search(r"\d,\d s<", shown)
    assert '<span class="figure">2,5 ' in shown, "the seconds of dead air"
    assert 'value="1.25">1,25<' in shown, "what a page sends stays as it is"
    assert re.search(r"strength \d\.\d of 1", reading.get("/call?id=ann-1").text)


def test_units_and_levels_of_measures_are_german_and_definitions_are_said_to_be_english(
    tmp_path: Path,
) -> None:
    units = ("count", "share", "words/s", "per_min", "semitones", "level")
    definitions = [
        MetricDefinition(f"m{i}", "party" if i % 2 else "call", unit, "told", "s")
        for i, unit in enumerate(units)
    ]
    shown = {"rate_median_words_per_s": "words/s", "interpretation_level": "level"}
    definitions += [MetricDefinition(name, "party", shown[name], "told", "s") for name in shown]
    values = [measured(name, "B", value) for name, value in zip(shown, (2.25, 0.0), strict=True)]
    landing.write(call("c", metrics=values), tmp_path / "landing")
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions)
    german = {"Accept-Language": "de"}
    with serving(tmp_path) as served:
        reader = served.alone()
        told = reader.get("/measures", headers=german).text
        english = reader.get("/measures").text
        page = reader.get("/call?id=c", headers=german).text
        assert "0 of 2" in reader.get("/call?id=c").text
    for said in (">je Anruf, Anzahl,", ">je Beteiligtem, Anteil,", "Wörter/s", "Stufe"):
        assert said in told, said
    assert "party, " not in told and "words/s" not in told
    assert "stehen auf Englisch da" in told and '<span lang="en">told</span>' in told
    assert "are in English" not in english and "one for each party, per min," in english
    assert "2,25 Wörter/s" in page and "0 von 2" in page and "0 level" not in page
