"""What lands is what is read, whoever writes, packs or reads at the same time."""

import base64
import os
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from hypothesis import strategies as st

from support.factories import ANALYZED_AT, call, cue, measured, sha, without_analysis
from support.forked import die_at, ended
from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.errors import Status
from warmline.files import LockedError, exclusive
from warmline.landing import rewriting, rows, store
from warmline.values import Recording, Span

LATER = ANALYZED_AT + timedelta(days=1)


def everything() -> st.SearchStrategy[CallAnalysis]:
    """Analyses of any shape the annotations allow, with finite numbers and times in any zone."""
    zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
    times = st.datetimes(
        min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=zones
    )
    st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
    st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
    st.register_type_strategy(datetime, times)
    st.register_type_strategy(str, st.text(max_size=8))
    digests = st.one_of(st.just(""), st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
    st.register_type_strategy(Recording, st.builds(Recording, audio_sha256=digests))
    return st.from_type(CallAnalysis)


@tries(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(analysis=everything())
def test_any_analysis_is_read_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, analysis: CallAnalysis
) -> None:
    folder = tmp_path_factory.mktemp("landing")
    assert landing.read(landing.write(analysis, folder)) == analysis


def test_files_lie_under_the_digest_of_the_audio_or_of_the_path(tmp_path: Path) -> None:
    whole, refused = call("c"), without_analysis("r", path="/calls/r.wav")
    double = without_analysis("d", audio="c", status=Status.DUPLICATE, code="duplicate")
    digest, path_digest = sha("c"), sha("/calls/r.wav")
    assert landing.write(whole, tmp_path) == (
        tmp_path / "analyses" / digest[:2] / f"{digest}.parquet"
    )
    assert landing.write(refused, tmp_path) == (
        tmp_path / "refused" / path_digest[:2] / f"{path_digest}.parquet"
    )
    assert landing.write(double, tmp_path).parts[-3] == "refused"
    assert len(landing.known(tmp_path)) == 3


def test_a_name_in_bytes_that_are_not_utf8_lands_and_is_found_again(tmp_path: Path) -> None:
    odd = os.fsdecode(b"/calls/caf\xe9.wav")
    landing.write(call("c", path=odd), tmp_path)
    found = landing.known(tmp_path).by_path(odd)
    assert found is not None
    assert found.path == "/calls/caf\\udce9.wav"


def test_an_older_file_is_completed_with_defaults(tmp_path: Path) -> None:
    path = landing.write(call("c", says=[("A", 0.0, 1.0, "yes")]), tmp_path)
    table = pq.read_table(path).drop_columns(["metric_versions", "prosody"])
    turns = table.column("metadata").combine_chunks()
    kept = [f for f in turns.type if f.name not in ("extra", "source", "is_simulated", "team")]
    older = pa.StructArray.from_arrays([turns.field(f.name) for f in kept], fields=kept)
    index = table.schema.get_field_index("metadata")
    pq.write_table(table.set_column(index, "metadata", older), path)
    read = landing.read(path)
    assert (read.metric_versions, read.prosody) == ({}, None)
    assert (read.metadata.extra, read.metadata.source, read.metadata.team) == ({}, "none", None)
    assert read.conversation == call("c", says=[("A", 0.0, 1.0, "yes")]).conversation


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "other", "flipped"])
def test_a_damaged_file_is_named_and_leaves_the_others_readable(
    tmp_path: Path, damage: str
) -> None:
    path = landing.write(call("bad"), tmp_path)
    landing.write(call("good"), tmp_path)
    content = path.read_bytes()
    if damage == "other":
        pq.write_table(pa.table({"x": [1]}), path)
    else:
        middle = bytearray(content)
        middle[4:400] = bytes(b ^ 0xFF for b in middle[4:400])
        path.write_bytes(
            {"empty": b"", "cut": content[:-20], "noise": b"PAR1" * 99, "flipped": middle}[damage]
        )
    with pytest.raises(landing.LandingError, match=path.name):
        landing.read(path)
    known = landing.known(tmp_path)
    assert [k.call_id for k in known] == ["good"]
    assert list(known.unreadable) == [str(path.relative_to(tmp_path))]
    packing = landing.compact(tmp_path)
    assert packing.packed == 1
    assert path.exists()
    landing.write(call("bad"), tmp_path)
    assert len(landing.known(tmp_path)) == 2


def test_a_refusal_gives_way_when_the_path_succeeds(tmp_path: Path) -> None:
    landing.write(without_analysis("c"), tmp_path)
    landing.write(call("c", analyzed_at=LATER), tmp_path)
    assert [k.status for k in landing.known(tmp_path)] == [Status.ANALYZED]
    assert not list((tmp_path / "refused").rglob("*.parquet"))


def test_the_newest_of_a_path_counts_and_packing_keeps_no_other(tmp_path: Path) -> None:
    landing.write(without_analysis("c"), tmp_path)
    landing.compact(tmp_path)
    landing.write(call("c", audio="first", analyzed_at=LATER), tmp_path)
    landing.write(call("c", audio="second", analyzed_at=LATER + timedelta(1)), tmp_path)
    known = landing.known(tmp_path)
    assert [k.audio_sha256 for k in known] == [sha("second")]
    assert known.by_audio(sha("first")) is None
    assert landing.compact(tmp_path).dropped == 2
    assert [k.audio_sha256 for k in landing.known(tmp_path)] == [sha("second")]


def test_packing_changes_where_analyses_lie_and_nothing_else(tmp_path: Path) -> None:
    analyses = {f"c{i}": call(f"c{i}", path=f"/calls/{i}.wav") for i in range(7)}
    for analysis in analyses.values():
        landing.write(analysis, tmp_path)
    before = landing.known(tmp_path)
    assert landing.compact(tmp_path, rows_in_pack=3).packs == 3
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    after = landing.known(tmp_path)
    for old in before:
        now = after.by_path(old.path)
        assert now is not None
        assert replace(now, file=old.file) == old
        assert landing.read_landed(tmp_path, now) == analyses[old.call_id]
        assert landing.read_landed(tmp_path, old) == analyses[old.call_id]
    assert landing.compact(tmp_path, rows_in_pack=3) == landing.Compaction(0, 0, 0, {})


def test_poor_packs_are_merged_as_calls_come_in(tmp_path: Path) -> None:
    for night in range(6):
        for i in range(2):
            landing.write(call(f"{night}-{i}"), tmp_path)
        landing.compact(tmp_path, rows_in_pack=4)
    sizes = [pq.read_metadata(f).num_rows for f in tmp_path.rglob("*.parquet")]
    assert sum(sizes) == 12
    assert len(sizes) <= 6
    assert len(landing.known(tmp_path)) == 12


def test_a_packed_analysis_can_be_superseded_and_removed(tmp_path: Path) -> None:
    for i in range(4):
        landing.write(call(f"c{i}"), tmp_path)
    landing.compact(tmp_path)
    landing.write(call("c1", analyzed_at=LATER), tmp_path)
    newer = landing.known(tmp_path).by_audio(sha("c1"))
    assert newer is not None
    assert newer.analyzed_at == LATER
    landing.remove(tmp_path, [f"analyses/{sha('c1')}", f"analyses/{sha('c3')}"])
    assert sorted(k.call_id for k in landing.known(tmp_path)) == ["c0", "c2"]
    left = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())
    assert sha("c1").encode() not in left
    with pytest.raises(landing.LandingError, match="was removed"):
        landing.read_landed(tmp_path, newer)


def test_one_analysis_of_a_pack_is_asked_for_by_its_key(tmp_path: Path) -> None:
    for i in range(2):
        landing.write(call(f"c{i}"), tmp_path)
    landing.compact(tmp_path)
    (pack,) = tmp_path.rglob("*.parquet")
    assert landing.read(pack, f"analyses/{sha('c1')}") == call("c1")
    with pytest.raises(landing.LandingError, match="holds 2 analyses"):
        landing.read(pack)
    with pytest.raises(landing.LandingError, match="holds no analysis analyses/x"):
        landing.read(pack, "analyses/x")


@pytest.mark.parametrize("key", ["", base64.b64encode(bytes(32)).decode()])
def test_peaks_are_read_alone_wherever_their_analysis_lies(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key:
        monkeypatch.setenv("WARMLINE_KEY", key)
    drawn = (bytes(range(256)), b"\x80\x7f")
    path = landing.write(replace(call("c0"), peaks=drawn), tmp_path)
    landing.write(call("c1"), tmp_path)
    key_0, key_1 = (f"analyses/{sha(name)}" for name in ("c0", "c1"))
    seen = [str(path.relative_to(tmp_path))]
    assert landing.peaks_of(tmp_path, key_0, seen) == drawn
    assert landing.peaks_of(tmp_path, key_0, []) == drawn
    assert landing.peaks_of(tmp_path, key_1, []) == (), "an analysis of before"
    landing.compact(tmp_path)
    (pack,) = (tmp_path / store.COMPACTED).rglob("*.parquet")
    assert landing.read(pack, key_0) == replace(call("c0"), peaks=drawn)
    assert landing.peaks_of(tmp_path, key_0, seen) == drawn, "not where it was"
    landing.remove(tmp_path, [key_0])
    assert landing.peaks_of(tmp_path, key_0, seen) == ()
    left = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())
    assert bytes(range(256)) not in left
    assert landing.peaks_of(tmp_path / "nowhere", key_0, seen) == ()


def test_workers_readers_and_packing_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    done = threading.Event()
    errors: list[BaseException] = []

    def write(worker: int) -> None:
        for i in range(12):
            landing.write(call(f"{worker}-{i}", analyzed_at=LATER), tmp_path)

    def pack() -> None:
        while not done.is_set():
            landing.compact(tmp_path, rows_in_pack=8)

    def look() -> None:
        seen = 0
        while not done.is_set():
            count = len(landing.known(tmp_path))
            if count < seen:
                errors.append(AssertionError(f"{seen} calls became {count}"))
            seen = count

    def guarded(run: Any) -> threading.Thread:
        def body() -> None:
            try:
                run()
            except BaseException as e:
                errors.append(e)

        return threading.Thread(target=body)

    writers = [guarded(lambda w=w: write(w)) for w in range(3)]
    others = [guarded(pack), guarded(look)]
    for thread in writers + others:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    assert not errors
    known = landing.known(tmp_path)
    assert len(known) == 36
    assert not known.unreadable


#: Functions that packing goes through, and is killed at.
POINTS: dict[str, tuple[Any, str]] = {
    "claimed": (rewriting, "_compact_locked"),
    "writing": (rewriting.pq.ParquetWriter, "write_batch"),
    "renaming": (Path, "replace"),
    "removing": (Path, "unlink"),
}


@pytest.mark.parametrize("point", POINTS)
def test_packing_may_be_killed_at_any_point(tmp_path: Path, point: str) -> None:
    for i in range(5):
        landing.write(call(f"c{i}"), tmp_path)

    def pack() -> None:
        die_at(*POINTS[point])
        rewriting.compact(tmp_path, rows_in_pack=2)

    assert ended(pack) == -9
    assert len(landing.known(tmp_path)) == 5
    landing.compact(tmp_path, rows_in_pack=2)
    known = landing.known(tmp_path)
    assert [landing.read_landed(tmp_path, k).metadata.call_id for k in known] == [
        k.call_id for k in known
    ]
    assert len(known) == 5
    assert len(list(tmp_path.rglob("*.parquet"))) == 3


def test_what_a_killed_writer_left_is_never_read_and_is_cleared_when_old(tmp_path: Path) -> None:
    path = landing.write(call("c"), tmp_path)
    old, new = path.parent / ".a.parquet.1.tmp", path.parent / ".b.parquet.2.tmp"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert len(landing.known(tmp_path)) == 1
    landing.compact(tmp_path)
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize(
    "part", ["outcomes/ab", "reviews/ab", "evaluations/ab", "listings/ab", "digests", "."]
)
def test_what_a_killed_writer_left_is_cleared_in_every_part(tmp_path: Path, part: str) -> None:
    """It may hold what somebody said of a call that is erased since."""
    left = tmp_path / part / ".a.json.1.tmp"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    landing.compact(tmp_path)
    assert not left.exists()


def test_one_process_packs_at_a_time(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / ".packing.lock", "compacting this landing folder"),
        pytest.raises(LockedError, match=rf"process {os.getpid()} .* is compacting"),
    ):
        landing.compact(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "analyses").write_text("in the way")
    with pytest.raises(landing.LandingError, match=r"analyses.*cannot write"):
        landing.write(call("c"), tmp_path)


def test_the_fingerprint_of_metadata_says_whether_more_is_known() -> None:
    plain = call("c").metadata
    assert landing.metadata_fingerprint(plain) == landing.metadata_fingerprint(call("c").metadata)
    assert landing.metadata_fingerprint(plain) != landing.metadata_fingerprint(
        replace(plain, agent_id="7")
    )


def test_a_missing_landing_folder_is_empty(tmp_path: Path) -> None:
    assert len(landing.known(tmp_path / "none")) == 0


def test_what_is_known_says_how_an_analysis_was_made(tmp_path: Path) -> None:
    landing.write(call("c", stages={"words": "k1"}, agent_id="7"), tmp_path)
    found = landing.known(tmp_path).by_path("/calls/c.wav")
    assert found is not None
    assert found.stage_keys == {"words": "k1"}
    assert found.metadata_fingerprint == landing.metadata_fingerprint(
        call("c", agent_id="7").metadata
    )
    assert found.analyzed_at == ANALYZED_AT


def test_an_annotation_without_an_arrow_type_is_refused_by_name() -> None:
    @dataclass(frozen=True)
    class Odd:
        pairs: tuple[int, str]

    with pytest.raises(TypeError, match=r"Odd\.pairs"):
        store.schema(Odd)


def test_a_time_without_a_zone_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"analyzed_at.*no time zone"):
        landing.write(call("c", analyzed_at=datetime(2026, 1, 1)), tmp_path)


def test_evidence_and_empty_lists_keep_their_shape(tmp_path: Path) -> None:
    analysis = call(
        "c",
        metrics=[measured("m", None, 1.0, evidence=(Span(1.0, 2.0),))],
        cues=[cue(0, 0, 1, "x")],
    )
    assert landing.read(landing.write(analysis, tmp_path)) == analysis
    assert rows.landing_schema().names[:3] == [
        "landing_key",
        "content_sha256",
        "metadata_fingerprint",
    ]
