"""A voice that leaks into the other party's channel is not speech of that party."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from support.sounds import RATE_HZ, Samples, conversation, sound_of, talk
from warmline.analysis import Floor, Metric
from warmline.files import folder
from warmline.models.engines import Engines
from warmline.pipeline.analyze import doubt_about_parties, missing_party, suppress_floor
from warmline.query.questions import ask
from warmline.recordings.sound import Sound, decode
from warmline.settings import RecordingSettings, SpeechSettings
from warmline.speech import cluster_speakers, listen, live_channel
from warmline.speech.activity import FRAME_LENGTH_S, FRAME_STEP_S
from warmline.speech.channels import LevelTrack
from warmline.speech.crosstalk import (
    OwnSpeech,
    _rising_above,
    find_crosstalk,
    levels_of,
    own_speech,
    without_crosstalk,
)
from warmline.values import ChannelLayout, SpeakerSource, Speech, SpeechSegment, total_s

SETTINGS = SpeechSettings()
STEREO = ChannelLayout("stereo", 2, 0.0, "two channels", (0, 1))
Floats = NDArray[np.floating]


def late(voice: Floats, delay_s: float) -> Floats:
    return np.concatenate([np.zeros(round(delay_s * RATE_HZ)), voice])[: voice.size]


def telephone(voice: Floats) -> Floats:
    """Cut to a band and clipped softly, the level kept."""
    band = sosfilt(butter(4, (400, 3000), "bandpass", fs=RATE_HZ, output="sos"), voice)
    limit = 0.5 * np.percentile(np.abs(band[np.abs(band) > 0.01]), 95)
    clipped = limit * np.tanh(band / limit)
    return clipped * np.sqrt(np.mean(voice**2) / np.mean(clipped**2))


def leaking(
    samples: Floats, level_db: float, delay_s: float, ways: str = "both", changed: bool = False
) -> Samples:
    heard = samples.astype(np.float64)
    for source, target in {"both": [(0, 1), (1, 0)], "one": [(1, 0)]}[ways]:
        voice = telephone(samples[source]) if changed else samples[source]
        heard[target] += 10 ** (level_db / 20) * late(voice, delay_s)
    return heard.astype(np.float32)


def sounding(samples: Floats) -> list[NDArray[np.float32]]:
    """A network that takes for speech whatever can be heard on a channel."""
    frames = int(samples.shape[1] / RATE_HZ / FRAME_STEP_S) + 1
    starts = (np.arange(frames) * FRAME_STEP_S * RATE_HZ).astype(int)
    power = np.cumsum(np.pad(np.square(samples, dtype=np.float64), ((0, 0), (1, 0))), axis=1)
    ends = np.minimum(starts + round(FRAME_LENGTH_S * RATE_HZ), samples.shape[1])
    starts = np.minimum(starts, ends - 1)
    level = (power[:, ends] - power[:, starts]) / (ends - starts)
    return [np.where(row > 1e-6, 0.95, 0.02).astype(np.float32) for row in level]


def own(samples: Samples) -> OwnSpeech:
    return own_speech(sound_of(samples), sounding(samples), SETTINGS.leakage_db)


def seconds_wrong(found: OwnSpeech, truth: Samples) -> tuple[float, float]:
    """Seconds that are given to a party who is silent, and that are taken from one who speaks."""
    spoken = sounding(truth)
    pairs = list(zip(found.probabilities, spoken, strict=True))
    added = sum(int(((p > 0.5) & (t < 0.5)).sum()) for p, t in pairs)
    lost = sum(int(((p < 0.5) & (t > 0.5)).sum()) for p, t in pairs)
    return added * FRAME_STEP_S, lost * FRAME_STEP_S


@pytest.fixture(scope="module")
def call() -> Samples:
    """36 s in which two people take turns."""
    return conversation(turns=20)


@pytest.mark.parametrize(("ways", "changed"), [("one", False), ("both", True)])
@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.2, 0.35])
@pytest.mark.parametrize("level_db", [-12, -15, -22])
def test_a_leaked_voice_is_left_out(
    call: Samples, level_db: float, delay_s: float, changed: bool, ways: str
) -> None:
    found = own(leaking(call, level_db, delay_s, ways, changed))
    pairs = {(leak.source, leak.target) for leak in found.crosstalk}
    assert pairs == ({(1, 0)} if ways == "one" else {(0, 1), (1, 0)})
    if ways == "one":
        assert all(leak.delay == pytest.approx(100 * delay_s, abs=3) for leak in found.crosstalk)
    added_s, lost_s = seconds_wrong(found, call)
    assert added_s < 0.08 * 36  # at the edges of speech; all of it would be 0.4 of the call
    assert lost_s < 0.06 * 36
    assert found.confidence > SETTINGS.min_confidence
    assert "channel 1's voice on channel 0" in found.reason


def test_clean_channels_are_left_as_they_are(call: Samples) -> None:
    heard = without_crosstalk(
        levels_of(sound_of(call), sounding(call)), sounding(call), SETTINGS.leakage_db
    )
    found = own(call)
    assert (found.crosstalk, found.confidence, found.reason) == ((), 1.0, "")
    for kept, probability in zip(found.probabilities, heard, strict=True):
        assert np.array_equal(kept, probability)


def test_people_who_speak_at_once_are_both_kept(call: Samples) -> None:
    """Each begins 0.8 s before the other has ended, for half of the call."""
    over = call.copy()
    for turn, start in enumerate(range(0, over.shape[1] // 2, round(1.8 * RATE_HZ))):
        voice = talk(1.2, (210.0, 110.0)[turn % 2], 500 + turn)
        begin = start + round(0.7 * RATE_HZ)
        over[1 - turn % 2, begin : begin + voice.size] += voice
    for level_db in (-15, -22):
        found = own(leaking(over, level_db, 0.2))
        added_s, lost_s = seconds_wrong(found, over)
        assert added_s < 0.07 * 36
        assert lost_s < 0.05 * 36


def behind(
    call: Samples, level_db: float, channel: int, lengths_s: Sequence[float] = (1.5,)
) -> Samples:
    """The call with other people's talk on one channel: a conversation for each length of turns."""
    talks = [conversation(turns=20, turn_s=turn_s, seed=77).sum(axis=0) for turn_s in lengths_s]
    others = np.sum([np.resize(one, call.shape[1]) for one in talks], axis=0) / len(talks) ** 0.5
    heard = call.copy()
    heard[channel] += 10 ** (level_db / 20) * others
    return heard


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("level_db", [-16, -20, -26])
def test_talk_in_the_background_is_left_out(call: Samples, level_db: float, channel: int) -> None:
    found = own(behind(call, level_db, channel))
    (voices,) = found.background
    assert voices.channel == channel
    assert voices.below_db == pytest.approx(-level_db, abs=5)
    added_s, lost_s = seconds_wrong(found, call)
    assert added_s < 0.15 * 36  # up to an eighth of a second around each turn; all would be 0.5
    assert lost_s < 0.02 * 36
    assert f"voices in the background of channel {channel}" in found.reason


def test_talk_in_the_background_that_is_nearly_as_loud_leaves_a_doubt(call: Samples) -> None:
    assert own(behind(call, -7, 1)).confidence < own(behind(call, -20, 1)).confidence == 1.0


def test_what_only_rises_to_the_border_is_talk_in_the_background() -> None:
    """The loudest moments of many who talk at once are short of a voice's own."""
    level_db = np.array([-40, -30, -29, -40, -30, -20, -20, -31, -40, -20, -40], np.float32)
    everywhere = np.ones(level_db.size, bool)
    kept = _rising_above(level_db, -32.0, -25.0, where=everywhere)
    assert np.flatnonzero(kept).tolist() == [4, 5, 6, 7]  # and not a frame that is loud alone
    assert not _rising_above(level_db, -32.0, -25.0, where=~everywhere).any()


@pytest.mark.parametrize(("level_db", "is_said"), [(-8.4, False), (-9.6, True)])
def test_parties_beside_talk_in_the_background_are_told_apart_or_not(
    call: Samples, level_db: float, is_said: bool
) -> None:
    """Half-way between 6 dB, where nothing tells them apart, and 16, where nothing is doubted."""
    found = own(behind(call, level_db, 0))
    (voices,) = found.background
    assert abs(voices.below_db - 11) < 1.5
    assert (voices.below_db > 11) == is_said
    assert (found.confidence > SETTINGS.min_confidence) == is_said


def follows(
    slow: float, fast: float, drops: bool = False, seed: int = 3
) -> tuple[LevelTrack, LevelTrack]:
    """A minute of levels: one channel speaks for 6 of 10 s, the other's follow so much of it.

    `slow` is the correlation that levels have at any delay, `fast` what the right one adds.
    Where something `drops`, it does so on both channels, and further on the fainter one.
    """
    rng = np.random.default_rng(seed)
    count = 6_000
    steps, noise = rng.standard_normal((2, count))
    waves = np.sin(2 * np.pi * np.arange(count) / 1_500) * 2**0.5
    share = slow**0.5
    source = share * waves + (1 - share**2) ** 0.5 * steps
    part = fast / (1 - share**2) ** 0.5
    target = share * waves + part * steps + (1 - share**2 - part**2) ** 0.5 * noise
    dropped = drops * (rng.random(count) < 0.15)
    is_source = np.arange(count) % 1_000 < 600
    source_db = np.where(is_source, -30 + 3 * source - 10 * dropped, -70)
    target_db = np.where(is_source, -48 + 3 * target - 30 * dropped, -28 + noise)
    return LevelTrack(0, source_db), LevelTrack(1, target_db)


@pytest.mark.parametrize(
    ("slow", "fast", "is_copy"), [(0.42, 0.083, False), (0.42, 0.117, True), (0.55, 0.075, True)]
)
def test_a_copy_is_more_alike_at_its_delay_than_at_others(
    slow: float, fast: float, is_copy: bool
) -> None:
    """By a tenth, where levels are alike at every delay; what is plainly alike need not be."""
    found = find_crosstalk(follows(slow, fast))
    assert [(leak.source, leak.target) for leak in found] == [(0, 1)] * is_copy


@pytest.mark.parametrize(("fast", "is_copy"), [(0.27, False), (0.45, True)])
def test_a_copy_follows_its_source_where_it_is_as_loud_as_usual(fast: float, is_copy: bool) -> None:
    """Levels that only drop together, a pause in both rooms, are no copy."""
    found = find_crosstalk(follows(0.0, fast, drops=True))
    assert [(leak.source, leak.target) for leak in found] == [(0, 1)] * is_copy


@pytest.mark.parametrize("level_db", [-12, -18])
def test_a_faint_person_who_takes_part_in_the_call_is_kept(call: Samples, level_db: float) -> None:
    """Somebody joins at a distance from the telephone: they speak when the others are silent."""
    joining = conversation(turns=20, seed=31)[:, : call.shape[1]].sum(axis=0)
    three = np.concatenate([call, np.zeros_like(call)], axis=1)
    for start in range(0, call.shape[1], round(3.6 * RATE_HZ)):
        part = slice(call.shape[1] + start, call.shape[1] + start + round(1.8 * RATE_HZ))
        three[1, part] = 10 ** (level_db / 20) * joining[start : start + part.stop - part.start]
        answer = slice(part.stop, part.stop + round(1.8 * RATE_HZ))
        size = min(answer.stop, three.shape[1]) - answer.start
        three[0, answer.start : answer.start + size] = call[0, start : start + size]
    found = own(three)
    assert found.background == ()
    assert seconds_wrong(found, three) == (0.0, 0.0)


def test_a_leak_in_a_part_of_the_call_is_left_out(call: Samples) -> None:
    clean = conversation(turns=36, seed=5)
    whole = np.concatenate([clean, leaking(call, -15, 0.2), clean], axis=1)
    found = own(whole)
    added_s, lost_s = seconds_wrong(found, np.concatenate([clean, call, clean], axis=1))
    assert added_s < 0.15 * 36
    assert lost_s < 0.03 * 166


@pytest.fixture(scope="module", params=["lost-card", "third-call-broadband"])
def sample(request: pytest.FixtureRequest) -> Samples:
    """A simulated call, each party on a channel of its own."""
    decoded = decode(folder("audio") / "samples" / f"{request.param}.flac", RecordingSettings())
    return decoded.pcm / np.float32(32768)


@pytest.mark.parametrize("level_db", [-14, -20])
def test_talk_behind_both_parties_is_no_leak(sample: Samples, level_db: float) -> None:
    """Levels of ceaseless talk may be alike by chance, at one delay of many."""
    one_side = behind(sample, level_db, 0, (1.5, 1.1, 2.3))
    found = own(behind(one_side, level_db, 1, (1.7, 0.9, 2.0)))
    assert found.crosstalk == ()
    assert [voices.channel for voices in found.background] == [0, 1]
    length_s = sample.shape[1] / RATE_HZ
    added_s, lost_s = seconds_wrong(found, sample)
    assert added_s < 0.2 * length_s
    assert lost_s < 0.06 * length_s


@pytest.mark.parametrize("ways", ["one", "both"])
@pytest.mark.parametrize(("level_db", "delay_s"), [(-15, 0.6), (-17, 0.8), (-22, 0.95)])
def test_a_leak_may_be_nearly_a_second_late(
    sample: Samples, level_db: float, delay_s: float, ways: str
) -> None:
    found = own(leaking(sample, level_db, delay_s, ways, changed=True)).crosstalk
    pairs = {(leak.source, leak.target) for leak in found}
    assert pairs == ({(1, 0)} if ways == "one" else {(0, 1), (1, 0)})
    assert all(leak.delay == pytest.approx(100 * delay_s, abs=10) for leak in found)
    assert all(leak.level_db == pytest.approx(level_db, abs=3) for leak in found)
    assert own(sample).crosstalk == ()


def test_a_leak_that_begins_late_is_not_hidden_by_the_noise_before_it(sample: Samples) -> None:
    """In most of a window nothing leaks: what is usual there is the faint noise of a quiet line."""
    begin = sample.shape[1] // 2
    leaked = leaking(sample, -15, 0.2)
    found = own(np.concatenate([sample[:, :begin], leaked[:, begin:]], axis=1)).crosstalk
    assert {(leak.source, leak.target) for leak in found} == {(0, 1), (1, 0)}
    assert all(leak.level_db == pytest.approx(-15, abs=2) for leak in found)


def test_a_leak_of_changing_level_and_delay_is_left_out(call: Samples) -> None:
    """As an automatic gain and two clocks that differ make it."""
    time_s = np.arange(call.shape[1]) / RATE_HZ
    gain = 10 ** (3 * np.sin(2 * np.pi * time_s / 7) / 20)
    slow = np.stack([np.interp(time_s * 0.9997, time_s, row * gain) for row in call])
    heard = (call + 10 ** (-16 / 20) * np.stack([late(row, 0.2) for row in slow[::-1]])).astype(
        np.float32
    )
    added_s, lost_s = seconds_wrong(own(heard), call)
    assert added_s < 0.06 * 36
    assert lost_s < 0.04 * 36


def test_a_leak_as_loud_as_the_own_voice_is_a_doubt(call: Samples) -> None:
    quiet = call * np.array([[1.0], [0.2]], np.float32)
    found = own(leaking(quiet, -13, 0.2))
    assert found.confidence < SETTINGS.min_confidence


MIX_AND_NOTHING = ChannelLayout("mono", 2, None, "channel 1 of 2 alone carries a voice", (1,))


def test_of_one_recorded_party_only_how_much_it_speaks_is_said() -> None:
    said = (SpeechSegment(1.0, 9.0, "A"),)
    alone = Speech(SpeakerSource.DIARIZATION, ("A", "B"), said, said, (), 0.5, "one voice heard")
    missing = missing_party(alone, MIX_AND_NOTHING)
    assert missing is not None
    assert "channel 1 of 2 alone" in missing
    metrics = (
        Metric("talk_s", "A", 8.0),
        Metric("talk_s", "B", 0.0),
        Metric("words", "A", 20.0),
        Metric("words", "B", 0.0),
        Metric("talk_share", "A", 1.0),
        Metric("talk_share", "B", 0.0),
        Metric("interruptions", "A", 0.0),
        Metric("dead_air_s", None, 12.0),
    )
    held = suppress_floor(Floor((), (), (), (), metrics), None, missing)
    assert {(m.name, m.party): m.value for m in held.metrics if m.value is not None} == {
        ("talk_s", "A"): 8.0,
        ("words", "A"): 20.0,
    }
    assert all(m.reason == missing for m in held.metrics if m.value is None)
    both = replace(alone, segments=(*said, SpeechSegment(9.5, 11.0, "B")))
    assert missing_party(both, MIX_AND_NOTHING) is None
    assert missing_party(alone, replace(MIX_AND_NOTHING, channel_count=1)) is None


def test_a_channel_without_any_speech_is_found() -> None:
    said = (SpeechSegment(1.0, 9.0, "B"),)
    speech = Speech(SpeakerSource.CHANNEL, ("A", "B"), said, said, (), 1.0, "")
    assert live_channel(speech) == 1
    assert live_channel(replace(speech, segments=(*said, SpeechSegment(0, 1, "A")))) is None
    assert live_channel(replace(speech, segments=())) is None


@pytest.mark.parametrize(
    ("share_with_two", "smaller_s", "apart", "count"),
    [(0.7, 12.0, True, 2), (0.1, 12.0, True, 1), (0.7, 1.0, True, 1), (0.7, 12.0, False, 1)],
    ids=["a mix", "never two at once", "hardly any of the second", "much alike"],
)
def test_a_lone_channel_holds_two_voices_only_when_they_are_plain(
    share_with_two: float, smaller_s: float, apart: bool, count: int
) -> None:
    rng = np.random.default_rng(3)
    centres = np.eye(2, 32) if apart else np.ones((2, 32))
    rows = centres[[0, 0, 0, 0, 1, 1]] + 0.15 * rng.standard_normal((6, 32))
    embeddings = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    durations_s = np.array([6.0] * 4 + [smaller_s / 2] * 2)
    voices = cluster_speakers(embeddings, durations_s, share_with_two, SETTINGS, one_expected=True)
    assert voices.count == count
    assert len(set(voices.labels.tolist())) == count


def test_the_doubt_withholds_what_is_said_of_parties() -> None:
    speech = Speech(SpeakerSource.CHANNEL, ("A", "B"), (), (), (), 0.3, "")
    doubt = doubt_about_parties(speech, SETTINGS.min_confidence)
    assert doubt is not None
    assert "0.30" in doubt
    assert "speech.min_confidence" in doubt


def test_channels_that_swap_swap_their_leaks(call: Samples) -> None:
    heard = leaking(call, -15, 0.2, "one")
    there, back = own(heard), own(heard[::-1])
    mirrored = [(s.target, s.source) for s in back.crosstalk]
    assert mirrored == [(s.source, s.target) for s in there.crosstalk]
    for kept, other in zip(there.probabilities, back.probabilities[::-1], strict=True):
        assert np.array_equal(kept, other)


def shares(speech: Speech) -> tuple[float, float]:
    talk_s = [total_s([s for s in speech.segments if s.party == p]) for p in ("A", "B")]
    both_s = sum(
        max(0.0, min(a.end_s, b.end_s) - b.start_s)
        for a, b in pairwise(speech.segments)
        if a.party != b.party
    )
    return talk_s[1] / sum(talk_s), both_s


@pytest.mark.models
@pytest.mark.parametrize(
    ("level_db", "delay_s", "ways"),
    [
        (-12, 0.2, "both"),
        (-18, 0.0, "one"),
        pytest.param(-12, 0.2, "one", marks=pytest.mark.slow),
        pytest.param(-18, 0.0, "both", marks=pytest.mark.slow),
    ],
)
def test_a_call_with_echo_has_the_talk_times_of_the_call_without(
    level_db: float, delay_s: float, ways: str, engines: Engines
) -> None:
    path = folder("audio") / "samples" / "lost-card.flac"
    clean = decode(path, RecordingSettings())
    heard = leaking(clean.pcm / np.float32(32768), level_db, delay_s, ways, changed=True)
    echoing = Sound(sound_of(heard).pcm, clean.native_rate_hz, clean.codec)
    share, both_s = shares(listen(clean, STEREO, SETTINGS, engines))
    found = listen(echoing, STEREO, SETTINGS, engines)
    found_share, found_both_s = shares(found)
    assert found_share == pytest.approx(share, abs=0.03)
    assert found_both_s == pytest.approx(both_s, abs=1.5)
    assert "weaker" in found.reason


ASKED = """
    SELECT call_id, agent_talk_share, agent_interruptions + customer_interruptions,
        opportunities, agent_talk_s IS NULL, customer_talk_s IS NULL
    FROM call_summary ORDER BY call_id
"""


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.timeout(1800)
def test_echo_invents_nothing_and_a_dead_channel_no_second_party(
    tmp_path: Path, engines: Engines
) -> None:
    """As a user has it: recordings with roles, analyzed, and what the warehouse says of them."""
    clean = decode(folder("audio") / "samples" / "lost-card.flac", RecordingSettings())
    samples = clean.pcm / np.float32(32768)
    dead = samples * np.array([[0.0], [1.0]], np.float32)
    (tmp_path / "calls").mkdir()
    for name, sound in {
        "clean": samples,
        "dead": dead,
        "echo": leaking(samples, -15, 0.2, changed=True),
    }.items():
        path = tmp_path / "calls" / f"{name}.wav"
        soundfile.write(path, np.clip(sound, -1, 1).T, RATE_HZ, subtype="PCM_16")
        roles = {"channel_roles": {"0": "customer", "1": "agent"}}
        path.with_suffix(".json").write_text(json.dumps(roles))
    (tmp_path / "tiny.toml").write_text('[words]\nwhisper_model = "tiny.en"\n')
    subprocess.run(
        [sys.executable, "-m", "warmline", "analyze", "calls", "--warehouse", "w.duckdb"],
        env=os.environ | {"WARMLINE_SETTINGS": "tiny.toml"},
        cwd=tmp_path,
        check=True,
    )
    of_clean, of_dead, of_echo = ask(tmp_path / "w.duckdb", ASKED).rows
    assert of_echo[1] == pytest.approx(of_clean[1], abs=0.03)
    assert of_echo[2] == of_clean[2] == 0
    assert of_echo[3] == of_clean[3] > 0
    # The agent alone was recorded: how much that is is known, and nothing of the other.
    assert of_dead[1:] == (None, None, None, False, True)
