"""Calls through the whole house: heard, measured, landed, published, and not done twice."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from support.samples import cut, settings
from support.sounds import RATE_HZ, tone, write
from warmline import landing, words
from warmline.analysis import CallAnalysis, Metric
from warmline.cli import app
from warmline.cli.common import ExitCode
from warmline.errors import Status
from warmline.models.engines import Engines
from warmline.pipeline.analyze import CallInput, analyze_recording, analyze_recordings
from warmline.pipeline.stages import CacheKeys, all_measures
from warmline.query.questions import ask
from warmline.recordings.sound import SAMPLE_RATE_HZ, decode, level_peaks
from warmline.values import RoleName, SpeakerSource
from warmline.words.recognisers import Recogniser, Recognition, Request

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def call(tmp_path_factory) -> Path:
    return cut("lost-card", tmp_path_factory.mktemp("call") / "c-1.wav", 24.0)


@pytest.fixture(scope="module")
def told() -> list[float]:
    return []


@pytest.fixture(scope="module")
def analysis(call, engines, told) -> CallAnalysis:
    return analyze_recording(call, CacheKeys.of(settings()), engines, progress=told.append)


def seconds(analysis: CallAnalysis) -> dict[str, float]:
    return {key.stage: key.seconds for key in analysis.stage_keys}


def metrics(analysis: CallAnalysis) -> list[Metric]:
    parts = (analysis.prosody, analysis.floor, analysis.empathy)
    return [metric for part in parts if part for metric in part.metrics]


def test_a_call_is_heard_and_measured_from_end_to_end(analysis):
    assert (analysis.status, analysis.reason) == (Status.ANALYZED, None)
    assert analysis.duration_s == pytest.approx(24.0, abs=0.01)
    assert analysis.speech is not None and analysis.speech.source is SpeakerSource.CHANNEL
    assert analysis.conversation is not None
    assert {role.name for role in analysis.conversation.roles} == {
        RoleName.AGENT,
        RoleName.CUSTOMER,
    }
    assert analysis.transcript is not None and len(analysis.transcript.words) > 20
    assert set(analysis.models) == {
        *("whisper-tiny.en", "pyannote-segmentation-3.0", "campplus-zh-en", "all-minilm-l6-v2"),
        "multilingual-e5-small",
    }


def test_what_its_waveform_is_drawn_from_is_kept(call, analysis, engines, monkeypatch):
    sound = decode(call, settings().recordings)
    assert analysis.peaks == level_peaks(sound.pcm)
    assert [len(channel) for channel in analysis.peaks] == [2 * 24 * 20] * 2
    older = replace(analysis, peaks=())

    def never(*_: object) -> None:
        raise AssertionError("the sound was decoded")

    monkeypatch.setattr("warmline.pipeline.analyze.decode", never)
    again = analyze_recording(call, CacheKeys.of(settings()), engines, previous=older)
    assert again == replace(older, analyzed_at=again.analyzed_at), "none is analyzed for that alone"


def test_how_far_a_call_has_come_is_told_stage_by_stage(analysis, told):
    assert told == sorted(told)
    assert told[0] == 0.0 and told[-1] < 1.0
    assert len(set(told)) >= len(analysis.stage_keys)


def test_every_measure_has_a_value_or_a_reason(analysis):
    defined = {measure.name: measure for measure in all_measures()}
    found = metrics(analysis)
    assert {metric.name for metric in found} == set(defined)
    for metric in found:
        assert (metric.value is None) == (metric.reason is not None), metric
        assert (metric.party is None) == (defined[metric.name].level == "call"), metric
        for place in metric.evidence:
            assert 0 <= place.start_s <= place.end_s <= 24.1, metric


def test_nothing_is_computed_twice(call, analysis, engines):
    again = analyze_recording(call, CacheKeys.of(settings()), engines, previous=analysis)
    assert again == replace(analysis, analyzed_at=again.analyzed_at)


class Choosy:
    """A real recogniser, but for one that cannot read the longest of the calls it is given."""

    def __init__(self, real: Recogniser) -> None:
        self.real = real
        self.asked: list[int] = []

    def recognise(self, requests: Sequence[Request]) -> list[Recognition]:
        self.asked.append(len(requests))
        if any(request.samples > 15 * SAMPLE_RATE_HZ for request in requests):
            raise RuntimeError("my card number is 4111")
        return self.real.recognise(requests)


def test_calls_of_a_batch_share_the_recogniser_and_no_fault(call, engines, tmp_path, monkeypatch):
    cache_keys = CacheKeys.of(settings())
    choosy = Choosy(words.recogniser(cache_keys.settings.words, engines))
    monkeypatch.setattr(words, "recogniser", lambda *_: choosy)
    (tmp_path / "empty.wav").touch()
    short = cut("missed-connection", tmp_path / "short.wav", 6.0)
    inputs = [CallInput(path) for path in (call, tmp_path / "empty.wav", short)]
    (first, *_), *ended = analyze_recordings(inputs, cache_keys, engines)
    assert first == 1, "what is refused need not wait for words"
    (broken, whole) = (analysis for _, analysis in sorted(ended, key=lambda one: one[0]))
    assert choosy.asked[:3] == [2, 1, 1], "together, then each alone"
    assert (broken.status, broken.reason_code) == (Status.FAILED, "fault")
    assert (broken.reason or "").startswith("stage words: RuntimeError (test_pipeline_calls.py:")
    assert broken.transcript is None and broken.speech is not None
    assert [key.stage for key in broken.stage_keys] == ["sound", "channels", "speech"]
    assert whole.status is Status.ANALYZED
    assert whole.transcript is not None and len(whole.transcript.words) > 5
    assert seconds(whole)["words"] > 0


def test_a_changed_threshold_scores_again_without_listening(call, analysis, monkeypatch):
    deaf = Engines.__new__(Engines)  # nothing may ask it for a network

    def never(*_: object) -> None:
        raise AssertionError("the sound was decoded")

    monkeypatch.setattr("warmline.pipeline.analyze.decode", never)
    changed = CacheKeys.of(settings(floor__dead_air_s=0.3))
    again = analyze_recording(call, changed, deaf, previous=analysis)
    assert again.status is Status.ANALYZED
    assert again.transcript == analysis.transcript
    before, after = seconds(analysis), seconds(again)
    assert {stage for stage in before if before[stage] == after[stage]} == {
        *("sound", "channels", "speech", "words", "turns", "prosody", "language"),
    }
    assert again.floor != analysis.floor


def test_a_late_role_swaps_agent_and_customer_without_words_being_heard_again(
    call, analysis, engines, monkeypatch
):
    def never(*_: object) -> None:
        raise AssertionError("it was listened to again")

    monkeypatch.setattr("warmline.pipeline.analyze.speech.listen", never)
    monkeypatch.setattr("warmline.words.recogniser", never)
    sidecar = call.with_suffix(".json")
    told = sidecar.read_text()
    roles = {"0": "agent", "1": "customer"}
    if analysis.metadata.channel_roles == roles:
        roles = {"0": "customer", "1": "agent"}
    try:
        sidecar.write_text(json.dumps(json.loads(told) | {"channel_roles": roles}))
        again = analyze_recording(call, CacheKeys.of(settings()), engines, previous=analysis)
    finally:
        sidecar.write_text(told)
    assert analysis.conversation is not None and again.conversation is not None
    agent, customer = RoleName.AGENT, RoleName.CUSTOMER
    assert again.conversation.party_of(agent) == analysis.conversation.party_of(customer)
    assert again.transcript == analysis.transcript


def test_unsure_parties_have_no_measures_of_their_own(call, analysis, engines):
    """What diarization is unsure of is not said, though it was heard."""
    assert analysis.speech is not None
    unsure = replace(analysis.speech, source=SpeakerSource.DIARIZATION, confidence=0.3)
    strict = CacheKeys.of(settings(speech__min_confidence=0.4))
    previous = replace(analysis, speech=unsure)
    again = analyze_recording(call, strict, engines, previous=previous)
    assert again.transcript is not None and again.transcript.words
    assert again.empathy is not None and again.empathy.opportunities == ()
    assert "0.30" in (again.empathy.no_ledger_reason or "")
    for metric in metrics(again):
        if metric.party is not None:
            assert metric.value is None
            assert "speech.min_confidence = 0.40" in (metric.reason or "")
    assert again.floor is not None
    assert any(m.value is not None for m in again.floor.metrics if m.party is None)
    # Nor is it said who is the agent, unless the metadata say so.
    assert again.conversation is not None
    assert again.conversation.party_of(RoleName.AGENT) == "B"
    sidecar = call.with_suffix(".json")
    told = sidecar.read_text()
    try:
        sidecar.write_text("{}")
        again = analyze_recording(call, strict, engines, previous=previous)
    finally:
        sidecar.write_text(told)
    assert again.conversation is not None
    assert {role.name for role in again.conversation.roles} == {RoleName.UNKNOWN}


def broken_files(folder: Path) -> None:
    """Ten recordings that no one could analyze."""
    good = write(folder / "cut.wav", 0.1 * tone(8000), 8000)
    good.write_bytes(good.read_bytes()[:2000])
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("this is not sound\n" * 100)
    (folder / "header.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
    (folder / "fake.mp3").write_bytes(bytes(5000))
    (folder / "sidecar.m4a").write_text("{}")
    write(folder / "short.wav", tone(8000)[:, :4000], 8000)
    write(folder / "silence ünïcode 電話.wav", np.zeros((2, 80_000), np.float32), 8000)
    hold = 0.2 * np.sin(2 * np.pi * 440 * np.arange(10 * RATE_HZ) / RATE_HZ)
    write(folder / "tone.wav", hold[None].astype(np.float32), RATE_HZ)
    (folder / "loop.wav").symlink_to(folder / "loop.wav")


def test_two_good_calls_beside_ten_broken_ones(tmp_path):
    calls = tmp_path / "calls"
    calls.mkdir()
    cut("lost-card", calls / "good-1.wav", 12.0)
    cut("missed-connection", calls / "good-2.wav", 12.0)
    broken_files(calls)
    before = {path.name: path.lstat() for path in calls.iterdir()}
    warehouse = tmp_path / "w.duckdb"
    arguments = ["analyze", str(calls), "--warehouse", str(warehouse), "--json"]
    arguments += ["--whisper-model", "tiny.en", "--language", "en"]

    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == ExitCode.DONE, first.stderr
    counts = json.loads(first.stdout)["calls"]
    assert counts["analyzed"] == 2
    assert counts["refused"] + counts["no_speech"] == 10
    assert counts["failed"] == 0
    rows = ask(warehouse, "SELECT call_id, status, reason FROM call_summary").rows
    assert len(rows) == 12
    assert all(reason for _, status, reason in rows if status != "analyzed")

    published = warehouse.stat().st_ino
    again = CliRunner().invoke(app, arguments)
    assert warehouse.stat().st_ino == published, "what a run merges, it merges before it publishes"
    assert json.loads(again.stdout)["calls"] == {
        **dict.fromkeys(("analyzed", "no_speech", "refused", "failed", "duplicate"), 0),
        "unchanged": 12,
    }
    assert "Nothing to be done" in CliRunner().invoke(app, arguments[:4] + arguments[5:]).stdout
    after = {path.name: path.lstat() for path in calls.iterdir()}
    assert {name: (s.st_size, s.st_mtime_ns) for name, s in after.items()} == {
        name: (s.st_size, s.st_mtime_ns) for name, s in before.items()
    }
    assert len(landing.known(tmp_path / "w.landing")) == 12
