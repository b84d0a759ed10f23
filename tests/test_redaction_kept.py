"""What is kept of a call: where something private was said, and nowhere what it was."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from support.factories import ANALYZED_AT, call, definitions_of
from support.once import Once
from support.samples import cut, settings
from warmline import landing, words
from warmline.landing.store import key_of
from warmline.models.engines import Engines
from warmline.pipeline.analyze import analyze_recording
from warmline.pipeline.stages import CacheKeys, all_measures
from warmline.query.questions import ask_named
from warmline.redaction import kinds, redact
from warmline.settings import RedactionSettings, TurnSettings
from warmline.turns import assign_roles
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    Redaction,
    RoleName,
    Transcript,
    Turn,
    Word,
)
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import dictionary

HARPER = Path(__file__).parents[2] / "shared" / "data" / "calls" / "harper"
PRIVATE = ("4111", "1111", "078-05-1120", "pat.brown@example.org", "nineteen", "eighty-five")
SAID = (
    ("B", 0.5, "thank you for calling my name is dana how can I help card number please"),
    ("A", 6.0, "it's 4111 1111 1111 1111 I am worried that somebody has it"),
    ("B", 12.0, "and your date of birth and social"),
    ("A", 15.0, "fourth of july nineteen eighty-five and 078-05-1120 or pat.brown@example.org"),
)


def heard() -> Transcript:
    """What a recogniser gives for a call in which private things are said."""
    found = [
        Word(at_s + 0.3 * i, at_s + 0.3 * i + 0.25, party, word, 0.9)
        for party, at_s, text in SAID
        for i, word in enumerate(text.split())
    ]
    return Transcript("en", 0.9, tuple(found), (), {})


def test_a_landing_file_of_before_is_read_as_not_looked_through(tmp_path: Path):
    hidden = (Redaction(1.0, 2.0, "A", "card", 0), Redaction(3.0, 4.0, "A", "card", 0))
    analysis = replace(call("c"), redactions=hidden)
    path = landing.write(analysis, tmp_path)
    assert landing.read(path) == analysis
    pq.write_table(pq.read_table(path).drop_columns(["redactions"]), path)
    assert landing.read(path) == replace(analysis, redactions=None)


def test_the_warehouse_has_where_and_what_kind_and_tells_none_from_not_looked_for(tmp_path: Path):
    later = ANALYZED_AT + timedelta(days=1)
    hidden = (Redaction(2.6, 4.0, "A", "card", 0), Redaction(4.2, 4.8, "A", "card", 0))
    old = landing.write(call("old"), tmp_path / "landing")
    pq.write_table(pq.read_table(old).drop_columns(["redactions"]), old)
    calls = [replace(call("none"), redactions=()), replace(call("some"), redactions=hidden)]
    for analysis in calls:
        landing.write(replace(analysis, analyzed_at=later), tmp_path / "landing")
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions_of(calls))
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as con:
        counts = con.execute("SELECT call_id, redactions FROM calls ORDER BY call_id").fetchall()
        assert counts == [("none", 0), ("old", None), ("some", 2)]
        rows = con.execute("SELECT * FROM redactions ORDER BY ALL").fetchall()
    assert rows == [("some", 0, 0, "A", "card", 2.6, 4.0), ("some", 1, 0, "A", "card", 4.2, 4.8)]


def test_redactions_by_kind(tmp_path: Path):
    """One card said in two stretches by the customer, read back by the agent; a birthday, too."""
    first = (
        *(Redaction(2.6, 4.0, "A", "card", 0), Redaction(4.2, 4.8, "A", "card", 0)),
        Redaction(0.1, 1.1, "B", "card", 1),
    )
    second = (Redaction(2.6, 3.1, "A", "card", 0), Redaction(3.5, 4.5, "A", "birth_date", 1))
    calls = [replace(call("c-1"), redactions=first), replace(call("c-2"), redactions=second)]
    for analysis in calls:
        landing.write(analysis, tmp_path / "landing")
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions_of(calls))
    assert ask_named(tmp_path / "w.duckdb", "redactions_by_kind", {}).rows == (
        ("card", 2, 3, 4, 3, 1, pytest.approx(3.5)),
        ("birth_date", 1, 1, 1, 1, 0, pytest.approx(1.0)),
    )


def turns_of(transcript: Transcript) -> tuple[Turn, ...]:
    said = [
        [
            word
            for word in transcript.words
            if word.party == party and at_s <= word.start_s < at_s + 5
        ]
        for party, at_s, _ in SAID
    ]
    return tuple(
        Turn(w[0].start_s, w[-1].end_s, i, w[0].party, RoleName.UNKNOWN, text, len(w), 1.0)
        for i, w in enumerate(said)
        for text in [" ".join(word.text for word in w)]
    )


def test_roles_are_read_from_redacted_words_as_from_the_words_themselves():
    redacted, _ = redact(heard(), RedactionSettings(kinds=tuple(kinds())))
    assert "[name]" in turns_of(redacted)[0].text
    layout, nothing = ChannelLayout("mono", 1, None, "one channel"), CallMetadata("c")
    plain, hidden = (
        assign_roles(turns_of(t), ("A", "B"), layout, nothing, TurnSettings())
        for t in (heard(), redacted)
    )
    assert [role.name for role in hidden] == [RoleName.CUSTOMER, RoleName.AGENT]
    assert hidden == plain


@pytest.mark.skipif(not HARPER.is_dir(), reason="the real calls are not beside the checkout")
def test_real_bank_calls_stay_readable():
    """565 words of six calls: all that goes is one address, and names where that is asked for."""
    gone: Counter[str] = Counter()
    total = 0
    for file in sorted(HARPER.glob("*.json")):
        said = [
            Word(line["start"] + 0.3 * i, line["start"] + 0.3 * i + 0.2, line["speaker"], text, 1.0)
            for line in json.loads(file.read_text())
            for i, text in enumerate(line["text"].split())
        ]
        transcript = Transcript("en", 1.0, tuple(sorted(said, key=lambda w: w.start_s)), (), {})
        _, rows = redact(transcript, RedactionSettings(kinds=tuple(kinds())))
        total += len(said)
        for word in said:
            kind = [
                r.kind
                for r in rows
                if r.party == word.party and r.start_s <= word.start_s and word.end_s <= r.end_s
            ]
            gone.update(kind)
    assert total > 500
    assert set(gone) <= {"name", "address"}
    assert gone["address"] <= 13
    assert gone["name"] / total > 0.01  # why names are off by default


def _told(calls, *_):
    """What is heard in any call, whatever is in it."""
    return [words.Transcribed(heard(), 0.0) for _ in calls]


@pytest.mark.models
def test_nothing_private_lands_or_is_published(tmp_path, engines: Engines, monkeypatch):
    """The recogniser is told what to hear: what it hears well is not what is tried here."""
    monkeypatch.setattr(words, "transcribe", _told)
    recording = cut("lost-card", tmp_path / "c-1.wav", 24.0)
    cache_keys = CacheKeys.of(settings())
    analysis = analyze_recording(recording, cache_keys, engines)
    file = landing.write(analysis, tmp_path / "landing")
    publish(tmp_path / "landing", tmp_path / "w.duckdb", all_measures())
    kept = repr(landing.read(file))
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as con:
        for (table,) in con.execute("SHOW TABLES").fetchall():
            kept += repr(con.execute(f'SELECT * FROM "{table}"').fetchall())
    bytes_kept = file.read_bytes() + (tmp_path / "w.duckdb").read_bytes()
    assert "[card]" in kept
    assert "worried" in kept
    for secret in PRIVATE:
        # By itself: a digest may hold any four figures.
        alone = rf"(?<!\w){re.escape(secret)}(?!\w)"
        assert not re.search(alone, kept)
        assert not re.search(alone.encode(), bytes_kept)
    assert {r.kind for r in analysis.redactions or ()} >= {"card", "social_security", "email"}

    again = analyze_recording(recording, cache_keys, engines, previous=analysis)
    assert (again.redactions, again.stage_keys) == (analysis.redactions, analysis.stage_keys)
    off = CacheKeys.of(settings(redaction__enabled=False))
    plain = analyze_recording(recording, off, engines, previous=analysis)
    assert plain.redactions is None
    assert plain.transcript == heard()


def everything(folder: Path) -> bytes:
    """All bytes of landing folder and warehouse, pages of Parquet files read."""
    found = (folder / "w.duckdb").read_bytes()
    for path in (folder / "landing").rglob("*"):
        if path.is_file():
            found += path.read_bytes()
        if path.suffix == ".parquet":
            found += repr(pq.read_table(path).to_pylist()).encode()
    return found


def shape(folder: Path) -> str:
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as con:
        return dictionary(con)


@pytest.mark.parametrize("place", ["said", "metadata", "gone"])
def test_what_is_redacted_later_is_in_no_byte_of_what_was_published_before(
    once: Once, tmp_path: Path, place: str
) -> None:
    """Words heard anew, metadata read anew, an analysis taken away: nothing of before is left."""
    says = [("B", 0.0, 2.0, "your code"), ("A", 2.5, 5.0, "it is qx81vv2 indeed")]
    known = {"extra": {"note": "code zanthoxyl"}}
    meant = call("meant", says=says, **known)
    definitions = definitions_of([meant])

    def publish_before(folder: Path) -> None:
        calls = [call(f"c{i}", says=[("B", 0.0, 2.0, "good morning")]) for i in range(4)]
        for analysis in (*calls, meant):
            landing.write(analysis, folder / "landing")
        publish(folder / "landing", folder / "w.duckdb", definitions)
        landing.compact(folder / "landing")
        publish(folder / "landing", folder / "w.duckdb", definitions)

    once.copied("redacted-later", publish_before, tmp_path)
    before = shape(tmp_path)
    assert b"qx81vv2" in everything(tmp_path)
    later = {"analyzed_at": ANALYZED_AT + timedelta(days=1)}
    if place == "said":
        said = [says[0], ("A", 2.5, 5.0, "it is [security_code] indeed")]
        landing.write(call("meant", says=said, **known, **later), tmp_path / "landing")
    elif place == "metadata":
        landing.write(
            call("meant", says=says, extra={"note": "code"}, **later), tmp_path / "landing"
        )
    else:
        landing.remove(tmp_path / "landing", [key_of(meant)])
    report = publish(
        tmp_path / "landing", tmp_path / "w.duckdb", definitions, allow_loss=place == "gone"
    )
    left = everything(tmp_path)
    assert (b"qx81vv2" in left, b"zanthoxyl" in left) == (place == "metadata", place == "said")
    assert report.loaded + report.unchanged == (4 if place == "gone" else 5)
    assert shape(tmp_path) == before
    assert b"good morning" in left
