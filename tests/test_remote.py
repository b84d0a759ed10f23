"""Recordings in a bucket: found, fetched once, known the next night, and never left behind."""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from support import factories
from support.buckets import (
    BUCKET,
    SOURCE,
    client,
    config,
    give_environment,
    night,
    planned,
    put_in_memory,
    s3_server,
    silence,
)
from warmline import landing
from warmline.errors import QueryError, Status
from warmline.landing import Selection
from warmline.pipeline.calls import analyze_calls
from warmline.processes import no_progress
from warmline.query.export import write_bleeped
from warmline.recordings import remote
from warmline.recordings.metadata import read_metadata, read_table
from warmline.settings import RecordingSettings
from warmline.values import Recording

A, B = f"{SOURCE}/a.wav", f"{SOURCE}/b.wav"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def put(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, bytes], Any]]:
    """Puts an object; the bucket is empty at first."""
    give_environment(monkeypatch, server)
    s3 = client(server)
    s3.create_bucket(Bucket=BUCKET)

    def put_object(name: str, content: bytes) -> None:
        s3.put_object(Bucket=BUCKET, Key=f"2026-11-21/{name}", Body=content)

    yield put_object
    for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=found["Key"])


@pytest.fixture
def bucket(put: Callable[[str, bytes], Any]) -> Callable[[str, bytes], Any]:
    """One recording with metadata, one in a folder, and what is no recording."""
    put("a.wav", silence())
    put("a.json", b'{"call_id": "c-1", "customer_id": "zanthoxyl"}')
    put("east/c.WAV", silence(4))
    put("notes.txt", b"x")
    put(".hidden/d.wav", silence(5))
    return put


def known(folder: Path, url: str) -> landing.Landed:
    found = landing.known(folder / "w.landing").by_path(url)
    assert found is not None
    return found


def never(*_: object) -> None:
    raise AssertionError("it was fetched")


def fetch_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warmline.pipeline.calls.fetch", never)
    monkeypatch.setattr(remote, "content", lambda _, missing: never() if missing else {})


def test_recordings_are_found_fetched_and_known_the_next_night(tmp_path, bucket, monkeypatch):
    first = night(tmp_path)
    assert [(o.path, o.call_id, o.code) for o in first] == [
        (A, "c-1", "silent"),
        (f"{SOURCE}/east/c.WAV", "c", "silent"),
    ]
    landed = known(tmp_path, A)
    assert landed.audio_sha256 == sha256(silence()).hexdigest()
    assert landed.size_bytes == len(silence())
    fetch_nothing(monkeypatch)
    again = planned(tmp_path)
    assert again.is_done and len(again.unchanged) == 2


def test_a_copy_has_the_name_of_the_recording_and_nobody_else_may_read_it(
    tmp_path, bucket, monkeypatch
):
    seen = {}

    def decode(path: Path, settings: object) -> None:
        seen[path.name] = (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)
        raise RuntimeError

    monkeypatch.setattr("warmline.pipeline.analyze.decode", decode)
    assert {o.status for o in night(tmp_path)} == {Status.FAILED}
    assert seen == {"a.wav": (0o600, 0o700), "c.WAV": (0o600, 0o700)}


def test_an_object_that_was_replaced_is_analyzed_anew(tmp_path, bucket):
    night(tmp_path)
    bucket("a.wav", silence(3)[:-2] + b"\1\0")
    assert [o.path for o in night(tmp_path)] == [A]
    assert known(tmp_path, A).audio_sha256 != sha256(silence()).hexdigest()


def test_an_object_that_was_put_again_is_known_by_its_bytes(tmp_path, bucket):
    night(tmp_path)
    time.sleep(1.0)  # times have whole seconds there
    bucket("a.wav", silence())
    (outcome,) = night(tmp_path)
    assert (outcome.path, outcome.code) == (A, "silent")
    assert planned(tmp_path).is_done


def test_late_metadata_and_settings_are_taken_in_without_fetching_the_sound(
    tmp_path, bucket, monkeypatch
):
    made = config(tmp_path)
    call = next(c for c in planned(tmp_path).pending if c.path == A)
    recording = replace(call.recording, audio_sha256=sha256(silence()).hexdigest())
    metadata = read_metadata(call.source, RecordingSettings(), None)
    keys = made.cache_keys.keys(recording.audio_sha256, metadata)
    analysis = factories.call("c-1", stages=keys, cues=[])
    landing.write(replace(analysis, recording=recording, metadata=metadata), Path(made.landing))
    monkeypatch.setattr("warmline.pipeline.calls.fetch", never)
    assert A in planned(tmp_path).unchanged
    bucket("a.json", b'{"call_id": "c-1", "customer_id": "ben"}')
    call = next(c for c in planned(tmp_path).pending if c.path == A)
    assert call.why == "metadata changed"
    (outcome,) = analyze_calls(made, [call], [no_progress])
    assert outcome.status is Status.ANALYZED and len(outcome.reused) == len(keys)
    assert A in planned(tmp_path).unchanged


def test_an_etag_counts_where_size_and_time_are_the_same(tmp_path, bucket):
    night(tmp_path)
    folder = tmp_path / "w.landing"
    before = landing.read_listing(folder, SOURCE)
    other = {u: replace(k, stamp=f"{k.stamp}x") if u == A else k for u, k in before.items()}
    landing.write_listing(folder, SOURCE, other)
    assert [call.path for call in planned(tmp_path).pending] == [A]


def test_a_table_may_name_a_call_by_its_url(tmp_path, bucket):
    (tmp_path / "t.csv").write_text(f"path,agent_id\n{A},E1\neast/c.WAV,E2\n")
    table = read_table(tmp_path / "t.csv")
    plan = planned(tmp_path)
    ids = [read_metadata(c.source, RecordingSettings(), table).agent_id for c in plan.pending]
    assert ids == ["E1", "E2"]


def test_an_object_that_vanished_is_told_in_one_line(tmp_path, bucket, server):
    made = config(tmp_path)
    plan = planned(tmp_path)
    client(server).delete_object(Bucket=BUCKET, Key="2026-11-21/a.wav")
    outcomes = analyze_calls(made, plan.pending, [no_progress] * 2)
    assert [o.code for o in outcomes] == ["not_found", "silent"]
    assert outcomes[0].reason == f"{A}: there is nothing there, or it is gone"
    assert not list((tmp_path / "scratch").glob("*"))


def test_an_object_that_changes_after_it_was_listed_waits_for_the_next_night(tmp_path, bucket):
    plan = planned(tmp_path)
    bucket("a.wav", silence(6))
    outcomes = analyze_calls(config(tmp_path), plan.pending, [no_progress] * 2)
    assert [o.code for o in outcomes] == ["still_changing", "silent"]
    assert [o.code for o in night(tmp_path)] == ["silent"]


def test_what_is_still_being_uploaded_is_left_alone(tmp_path, bucket, server):
    started = client(server).create_multipart_upload(Bucket=BUCKET, Key="2026-11-21/big.wav")
    client(server).upload_part(
        Bucket=BUCKET,
        Key="2026-11-21/big.wav",
        PartNumber=1,
        UploadId=started["UploadId"],
        Body=silence(),
    )
    bucket("e.wav.part", silence())
    plan = planned(tmp_path)
    assert plan.unfinished == (f"{SOURCE}/e.wav.part",)
    assert len(plan.pending) == 2
    young = planned(tmp_path, recordings__settle_s=60)
    assert not young.pending and len(young.unfinished) == 3
    assert len(planned(tmp_path, A, recordings__settle_s=60).pending) == 1  # named


def test_a_copy_is_noted_and_a_moved_object_is_followed(tmp_path, bucket, server):
    night(tmp_path)
    bucket("b.wav", silence())
    (outcome,) = night(tmp_path)
    assert (outcome.path, outcome.status) == (B, Status.DUPLICATE)
    assert planned(tmp_path).is_done
    client(server).delete_object(Bucket=BUCKET, Key="2026-11-21/a.wav")
    (moved,) = planned(tmp_path).pending
    assert (moved.path, moved.why) == (B, "moved")


def test_what_is_forgotten_stays_forgotten_and_leaves_nothing(tmp_path, bucket, monkeypatch):
    night(tmp_path)
    folder = tmp_path / "w.landing"
    erased = landing.erase(folder, Selection(customers=frozenset({"zanthoxyl"})))
    landing.finish(folder)
    assert erased.calls == 1
    listings = list((folder / "listings").rglob("*.parquet"))
    assert listings
    for path in listings:
        assert "zanthoxyl" not in repr(landing.store.read_table(path).to_pylist())
    with monkeypatch.context() as patched:
        patched.setattr("warmline.pipeline.calls.fetch", never)
        assert planned(tmp_path).forgotten == (A,)
    bucket("renamed.wav", silence())
    (outcome,) = night(tmp_path)
    assert outcome.code == "forgotten"
    assert landing.known(folder).by_path(f"{SOURCE}/renamed.wav") is None
    monkeypatch.setattr("warmline.pipeline.calls.fetch", never)
    assert planned(tmp_path).forgotten == (A, f"{SOURCE}/renamed.wav")


def test_what_crashes_processes_is_given_up(tmp_path, bucket):
    (call, _) = planned(tmp_path).pending
    failed = factories.without_analysis("c-1", path=A, status=Status.FAILED, code="process_died")
    failed = replace(failed, recording=call.recording, failed_runs=3)
    landing.write(failed, tmp_path / "w.landing")
    assert planned(tmp_path).given_up == (A,)


def test_another_protocol_is_the_same(tmp_path):
    put_in_memory({"a.wav": silence(), "a.wav.json": b'{"agent_id": "E1"}', "empty.wav": b""})
    outcomes = night(tmp_path, "memory://calls")
    assert [(o.path, o.code) for o in outcomes] == [
        ("memory://calls/a.wav", "silent"),
        ("memory://calls/empty.wav", "empty_file"),
    ]
    assert planned(tmp_path, "memory://calls").is_done


def test_metadata_too_large_or_broken_are_told(tmp_path):
    put_in_memory({"a.wav": silence(), "a.json": b" " * (2 << 20), "b.wav": b"1", "b.json": b"{"})
    calls = planned(tmp_path, "memory://calls").pending
    told = [read_metadata(c.source, RecordingSettings(), None).extra for c in calls]
    assert "too large for metadata" in told[0]["metadata_problem"]
    assert "b.json: line 1" in told[1]["metadata_problem"]
    assert all(len(b.content) <= (1 << 20) + 1 for c in calls for b in c.remote.beside)


def test_no_bleeped_copy_is_made_of_what_lies_elsewhere(tmp_path):
    analysis = factories.call("c1")
    recording = Recording(A, 1, datetime.now(UTC), "0" * 64)
    with pytest.raises(QueryError, match=r"its recording lies at s3://calls/"):
        write_bleeped(
            replace(analysis, recording=recording, redactions=()), RecordingSettings(), tmp_path
        )


def test_listings_are_encrypted_with_the_rest(tmp_path, bucket, monkeypatch):
    monkeypatch.setenv("WARMLINE_KEY", b64encode(bytes(range(32))).decode())
    assert len(planned(tmp_path).pending) == 2
    (path,) = (tmp_path / "w.landing" / "listings").rglob("*.parquet")
    assert path.read_bytes().startswith(b"PARE")
    assert b"zanthoxyl" not in path.read_bytes()
    monkeypatch.setattr(remote, "content", lambda _, missing: never() if missing else {})
    assert len(planned(tmp_path).pending) == 2
