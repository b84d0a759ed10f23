"""Two channels are two people, or the same voices twice: told apart whatever was done to them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from support.sounds import RATE_HZ, Samples, conversation, sound_of, talk
from warmline.recordings.sound import Sound, decode
from warmline.settings import ChannelSettings, RecordingSettings
from warmline.speech.channels import compare, kept_of, level_track, resolve, with_one_left
from warmline.values import ChannelLayout

SETTINGS = ChannelSettings()
CALLS = Path(__file__).parents[2] / "shared" / "data" / "calls"
REAL = sorted(CALLS.glob("harper/*.wav")) + sorted(CALLS.glob("auto-repair/*.wav"))
Change = Callable[[Samples], NDArray[np.floating]]


def gain(level_db: float) -> float:
    return float(10 ** (level_db / 20))


def noisy(voice: NDArray[np.floating], below_db: float, seed: int) -> NDArray[np.floating]:
    """White noise that many dB below the voice where it speaks."""
    level = np.sqrt(np.mean(voice[np.abs(voice) > 0.01] ** 2)) * gain(-below_db)
    return voice + level * np.random.default_rng(seed).standard_normal(voice.shape)


def late(voice: NDArray[np.floating], seconds: float) -> NDArray[np.floating]:
    return np.concatenate([np.zeros(round(seconds * RATE_HZ)), voice])[: voice.size]


def coded(voice: NDArray[np.floating], subtype: str) -> NDArray[np.floating]:
    """Through a telephone codec and back, at 8 kHz."""
    file = io.BytesIO()
    soundfile.write(file, voice[::2], RATE_HZ // 2, format="WAV", subtype=subtype)
    file.seek(0)
    return np.repeat(soundfile.read(file)[0], 2)[: voice.size]


def crosstalk(sound: Samples, level_db: float) -> NDArray[np.floating]:
    return sound + gain(level_db) * sound[::-1]


def twice(change: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> Change:
    """The mix of both voices on both channels, the second channel changed."""

    def made(sound: Samples) -> NDArray[np.floating]:
        mix = sound.sum(axis=0) / 2
        return np.stack([mix, change(mix)])

    return made


TWO_PEOPLE: dict[str, Change] = {
    "as recorded": lambda x: x,
    "gains": lambda x: x * np.array([[1], [gain(-20)]]),
    "noise": lambda x: np.stack([noisy(x[0], 10, 1), noisy(x[1], 10, 2)]),
    "noise on one": lambda x: np.stack([x[0], noisy(x[1], 10, 2)]),
    "mu-law": lambda x: np.stack([coded(x[0], "ULAW"), coded(x[1], "ULAW")]),
    "crosstalk -20 dB": lambda x: crosstalk(x, -20),
    "crosstalk -12 dB": lambda x: crosstalk(x, -12),
    "crosstalk, gains": lambda x: crosstalk(x, -20) * np.array([[gain(-10)], [1]]),
    "echo": lambda x: x + gain(-15) * np.stack([late(x[1], 0.25), late(x[0], 0.25)]),
    "hum": lambda x: x + 0.02 * np.sin(2 * np.pi * 50 * np.arange(x.shape[1]) / RATE_HZ),
}
SAME_VOICES: dict[str, Change] = {
    "copy": twice(lambda mix: mix),
    "louder": twice(lambda mix: 3 * mix),
    "much quieter": twice(lambda mix: gain(-25) * mix),
    "inverted": twice(lambda mix: -mix),
    "mu-law": twice(lambda mix: coded(mix, "ULAW")),
    "GSM": twice(lambda mix: coded(mix, "GSM610")),
    "noise": twice(lambda mix: noisy(mix, 10, 3)),
    "as much noise as voice": twice(lambda mix: noisy(mix, 0, 3)),
    "5 ms late": twice(lambda mix: late(mix, 0.005)),
    "200 ms late, quieter": twice(lambda mix: 0.5 * late(mix, 0.2)),
    "crosstalk -3 dB": lambda x: crosstalk(x, -3),
    "one with both voices": lambda x: np.stack([x.sum(axis=0), x[1]]),
}


@pytest.fixture(scope="module")
def sound() -> Samples:
    return conversation(turns=14)


def layout_of(samples: NDArray[np.floating]) -> ChannelLayout:
    layout, left = resolve(sound_of(samples.astype(np.float32)), SETTINGS)
    assert left.channel_count == len(layout.kept)
    assert layout.channel_count == samples.shape[0]
    assert layout.reason
    return layout


@pytest.mark.parametrize("name", TWO_PEOPLE)
def test_two_people(sound: Samples, name: str) -> None:
    layout = layout_of(TWO_PEOPLE[name](sound))
    assert (layout.kind, layout.kept) == ("stereo", (0, 1))
    assert layout.similarity is not None
    assert layout.similarity < 0.75 * SETTINGS.fake_stereo_similarity


@pytest.mark.parametrize("name", SAME_VOICES)
def test_the_same_voices_twice(sound: Samples, name: str) -> None:
    layout = layout_of(SAME_VOICES[name](sound))
    assert (layout.kind, len(layout.kept)) == ("fake_stereo", 1)
    assert layout.similarity is not None
    assert layout.similarity > 1.5 * SETTINGS.fake_stereo_similarity


@pytest.mark.parametrize("level_db", [-30, -20, -12, -3])
def test_similarity_is_the_amplitude_of_the_crosstalk(sound: Samples, level_db: float) -> None:
    made = sound_of(crosstalk(sound, level_db).astype(np.float32))
    found = compare(level_track(made, 0), level_track(made, 1)).similarity
    assert found == pytest.approx(gain(level_db), rel=0.05)


def test_the_cleaner_copy_is_kept(sound: Samples) -> None:
    mix = sound.sum(axis=0) / 2
    layout = layout_of(np.stack([noisy(mix, 15, 4), mix]))
    assert layout.kept == (1,)
    assert "1 is kept" in layout.reason


def test_the_channel_with_both_voices_is_kept(sound: Samples) -> None:
    layout = layout_of(np.stack([sound[1], sound.sum(axis=0) / 2]))
    assert (layout.kind, layout.kept) == ("fake_stereo", (1,))
    assert "channel 1 holds both voices" in layout.reason


@pytest.mark.parametrize("level", [0.0, 1e-4, 1e-2])
def test_a_channel_without_a_voice(sound: Samples, level: float) -> None:
    """Digital silence, a quiet line, a loud steady noise."""
    hiss = level * np.random.default_rng(5).standard_normal(sound.shape[1])
    layout = layout_of(np.stack([hiss, sound.sum(axis=0)]))
    assert (layout.kind, layout.kept, layout.similarity) == ("mono", (1,), None)
    assert "channel 1 of 2 alone carries a voice" in layout.reason


@pytest.mark.parametrize("level_db", [-20.0, -32.0, -40.0])
def test_a_faint_recording_has_two_parties_all_the_same(sound: Samples, level_db: float) -> None:
    """Its loudest moment is so far below full scale; the second party is fainter by 8 dB."""
    faint = sound * (gain(level_db) / np.abs(sound).max()) * np.array([[1.0], [gain(-8)]])
    layout, _ = resolve(sound_of(faint.astype(np.float32)), SETTINGS)
    assert (layout.kind, layout.kept) == ("stereo", (0, 1))


def test_one_who_hardly_speaks_is_still_a_party() -> None:
    sound = np.zeros((2, 60 * RATE_HZ), np.float32)
    sound[0] = talk(60, 110, 1)
    sound[1, 30 * RATE_HZ :][: 3 * RATE_HZ] = talk(3, 210, 2)
    sound += 1e-4 * np.random.default_rng(0).standard_normal(sound.shape).astype(np.float32)
    assert layout_of(crosstalk(sound, -25)).kind == "stereo"


def test_one_channel(sound: Samples) -> None:
    whole = sound_of(sound[:1])
    layout, left = resolve(whole, SETTINGS)
    assert (layout.kind, layout.kept, layout.similarity) == ("mono", (0,), None)
    assert left is whole


@pytest.mark.parametrize(
    ("rows", "kind", "kept"),
    [
        ("a-b", "stereo", (0, 2)),
        ("abm", "stereo", (0, 1)),
        ("mab", "stereo", (1, 2)),
        ("abab", "stereo", (0, 1)),
        ("--ab--", "stereo", (2, 3)),
        ("mmm", "fake_stereo", (0,)),
        ("-m-", "mono", (1,)),
        ("abc", "stereo", (0, 1, 2)),
    ],
)
def test_more_channels(sound: Samples, rows: str, kind: str, kept: tuple[int, ...]) -> None:
    third = np.roll(conversation(turns=14, seed=3)[0], 9000)
    made = {"a": sound[0], "b": sound[1], "c": third, "-": 0 * third, "m": sound.sum(axis=0) / 2}
    samples = np.stack([made[row] for row in rows])
    layout, left = resolve(sound_of(samples), SETTINGS)
    assert (layout.kind, layout.kept) == (kind, kept)
    assert np.array_equal(left.pcm, sound_of(samples).pcm[list(kept)])


@pytest.mark.parametrize("seconds", [0.01, 0.1, 2.0])
def test_very_short_sound(seconds: float) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, round(seconds * RATE_HZ)))
    assert layout_of(noise).kind in {"mono", "stereo", "fake_stereo"}


@settings(max_examples=8, deadline=None)
@given(
    first=st.floats(-20, 0),
    second=st.floats(-20, 0),
    leak=st.sampled_from([None, -20.0, -3.0]),
    pad_s=st.floats(0, 3),
)
def test_laws(first: float, second: float, leak: float | None, pad_s: float) -> None:
    """Gains, silence around, and the order of the channels change nothing but the order."""
    sound = conversation(turns=4, seed=7)
    if leak is not None:
        sound = crosstalk(sound, leak).astype(np.float32)
    plain = layout_of(sound)
    changed = sound * np.array([[gain(first)], [gain(second)]])
    hush = 1e-5 * np.random.default_rng(0).standard_normal((2, round(pad_s * RATE_HZ)))
    changed = np.concatenate([hush, changed, hush], axis=1)
    there, swapped = layout_of(changed), layout_of(changed[::-1])
    assert there.kind == swapped.kind == plain.kind
    assert plain.similarity is not None
    assert there.similarity == pytest.approx(swapped.similarity, rel=1e-9)
    assert there.similarity == pytest.approx(plain.similarity, rel=0.1, abs=0.03)


@pytest.mark.skipif(not REAL, reason="the real calls in ../shared are not here")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_calls(path: Path) -> None:
    call = decode(path, RecordingSettings())
    whole = Sound(call.pcm[:, : 40 * RATE_HZ], call.native_rate_hz, call.codec)
    layout, left = resolve(whole, SETTINGS)
    assert (layout.kind, left.channel_count) == ("stereo", 2)
    assert layout.similarity is not None
    assert layout.similarity < 0.01
    samples = whole.pcm / np.float32(32768)
    for name in ("noise", "crosstalk -20 dB", "mu-law"):
        assert layout_of(TWO_PEOPLE[name](samples)).kind == "stereo", name
    for name in ("copy", "GSM", "noise", "200 ms late, quieter", "crosstalk -3 dB"):
        assert layout_of(SAME_VOICES[name](samples)).kind == "fake_stereo", name


def test_copies_are_named_with_the_channel_that_stands_for_them(sound: Samples) -> None:
    layout = layout_of(np.stack([sound[0], sound[1], sound[0], sound[1]]))
    assert layout.kept == (0, 1)
    assert {(copy.dropped, copy.kept) for copy in layout.copies} == {(2, 0), (3, 1)}
    assert not layout.lacks_a_party


def test_a_channel_on_which_nothing_was_heard_is_dropped(sound: Samples) -> None:
    whole = sound_of(np.stack([0 * sound[0], *sound]))
    layout, _ = resolve(whole, SETTINGS)
    assert layout.kept == (1, 2)
    left = with_one_left(layout, 1)
    assert (left.kind, left.kept, left.similarity) == ("mono", (2,), None)
    assert left.lacks_a_party
    assert "channel 2 of 3 alone holds speech" in left.reason
    assert np.array_equal(kept_of(whole, left).pcm, whole.pcm[2:])
