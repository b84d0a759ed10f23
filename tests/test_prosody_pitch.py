from importlib.util import find_spec
from pathlib import Path

import librosa
import numpy as np
import parselmouth
import pytest
import soundfile

from support.voices import VOWELS, noise, sound_of, telephone, vowel
from warmline.prosody.frames import PartyFrames, party_frames
from warmline.settings import ProsodySettings
from warmline.values import Span, intersect, subtract, union

SETTINGS = ProsodySettings()
SHARED_CALLS = Path(__file__).parents[2] / "shared" / "data" / "calls" / "harper"
GROSS_ST = 12 * np.log2(1.2)  # "gross" is the usual 20 %


def frames_of(samples: np.ndarray, *spans: tuple[float, float]) -> PartyFrames:
    stretches = [Span(*s) for s in spans] or [Span(0, len(samples) / 16_000)]
    return party_frames(sound_of(samples), 0, stretches, SETTINGS)


def praat(samples: np.ndarray, rate_hz: int, at_s: np.ndarray) -> np.ndarray:
    pitch = parselmouth.Sound(samples, rate_hz).to_pitch_ac(
        time_step=0.01, pitch_floor=65, pitch_ceiling=500
    )
    hz = pitch.selected_array["frequency"]
    return hz[np.clip(np.round((at_s - pitch.xs()[0]) / 0.01).astype(int), 0, len(hz) - 1)]


def errors_st(found_hz: np.ndarray, true_hz: np.ndarray) -> np.ndarray:
    both = (found_hz > 0) & (true_hz > 0)
    return np.abs(12 * np.log2(found_hz[both] / true_hz[both]))


@pytest.mark.parametrize("name", VOWELS)
@pytest.mark.parametrize("pitch_hz", [80, 110, 150, 220, 310])
def test_pitch_is_found_without_its_fundamental(name: str, pitch_hz: int):
    frames = frames_of(telephone(vowel(pitch_hz, 2.0, VOWELS[name])) + noise(2.0, 0.003))
    assert (frames.pitch_hz > 0).mean() > 0.95
    wrong = errors_st(frames.pitch_hz, np.full(len(frames.pitch_hz), pitch_hz))
    assert np.median(wrong) < 0.1
    assert (wrong > GROSS_ST).mean() < 0.02


def test_a_gliding_voice_is_followed():
    track = 120 * 2 ** np.linspace(0, 1, 3 * 16_000)
    frames = frames_of(telephone(vowel(track, 3.0)))
    true_hz = 120 * 2 ** (frames.time_s / 3.0)
    assert np.median(errors_st(frames.pitch_hz, true_hz)) < 0.1
    assert errors_st(frames.pitch_hz, true_hz).max() < GROSS_ST


def test_noise_has_no_voice():
    frames = frames_of(telephone(noise(5.0)))
    assert len(frames.pitch_hz) > 450
    assert (frames.pitch_hz > 0).mean() < 0.02


def test_silence_has_neither_pitch_nor_level():
    frames = frames_of(np.zeros(32_000))
    assert not frames.pitch_hz.any() and not frames.active.any()
    assert frames.loudness_lufs is None


def test_a_stretch_shorter_than_a_frame_is_left_out():
    frames = frames_of(vowel(120, 1.0), (0.1, 0.13), (0.5, 0.9))
    assert frames.time_s.min() > 0.5
    assert len(frames_of(vowel(120, 1.0), (0.1, 0.13)).time_s) == 0


def test_frames_do_not_depend_on_what_is_around_the_stretch():
    samples = telephone(vowel(150, 1.0))
    alone = frames_of(samples[4_000:12_000])
    inside = frames_of(np.concatenate([noise(3.0), samples[4_000:12_000]]), (3.0, 3.5))
    np.testing.assert_allclose(inside.pitch_hz, alone.pitch_hz)
    np.testing.assert_allclose(inside.time_s - 3.0, alone.time_s)


def sample_speech() -> tuple[np.ndarray, list[Span]]:
    """Half a minute of telephone talk, and where one of its two speakers is heard alone."""
    # Found, not imported: importing pyannote.audio loads torch.
    package = find_spec("pyannote.audio")
    folder = Path(package.submodule_search_locations[0]) / "sample"
    samples, _ = soundfile.read(folder / "sample.wav")
    rows = rttm_rows(folder / "sample.rttm")
    spans = {who: spoken_by(who, rows) for who in {r[7] for r in rows}}
    both = intersect(*spans.values())
    return samples, subtract([s for own in spans.values() for s in own], both)


def rttm_rows(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


def spoken_by(speaker: str, rows: list[list[str]]) -> list[Span]:
    return [Span(float(r[3]), float(r[3]) + float(r[4])) for r in rows if r[7] == speaker]


def agreement(wide: np.ndarray, rate_hz: int, spans: list[Span]) -> tuple[float, float, float]:
    """Against Praat on the full band: voicing error, gross error, median semitones; telephone."""
    at_16k = librosa.resample(wide, orig_sr=rate_hz, target_sr=16_000)
    frames = party_frames(sound_of(telephone(at_16k)), 0, spans, SETTINGS)
    true_hz = praat(wide, rate_hz, frames.time_s)
    voicing_error = ((frames.pitch_hz > 0) != (true_hz > 0))[frames.active].mean()
    wrong = errors_st(frames.pitch_hz, true_hz)
    return float(voicing_error), float((wrong > GROSS_ST).mean()), float(np.median(wrong))


def test_real_speech_through_a_telephone_agrees_with_praat_on_the_full_band():
    samples, spans = sample_speech()
    voicing_error, gross_error, semitones = agreement(samples, 16_000, spans)
    assert voicing_error < 0.08
    assert gross_error < 0.01
    assert semitones < 0.06


def test_real_speech_agrees_with_pyin():
    samples, _ = sample_speech()
    part = samples[22 * 16_000 : 28 * 16_000]
    frames = frames_of(part)
    hz, voiced, _ = librosa.pyin(
        part, fmin=65, fmax=500, sr=16_000, frame_length=1024, hop_length=160
    )
    at = np.round(frames.time_s / 0.01).astype(int)
    true_hz = np.where(voiced, hz, 0)[at]
    wrong = errors_st(frames.pitch_hz, true_hz)
    assert len(wrong) > 200
    assert (wrong > GROSS_ST).mean() < 0.02
    assert np.median(wrong) < 0.15


@pytest.mark.skipif(not SHARED_CALLS.is_dir(), reason=f"{SHARED_CALLS} is not there")
def test_real_calls_through_a_telephone_agree_with_praat_better_than_praat_itself():
    """Praat on the telephone band against Praat on the full band is what there is to beat."""
    ours: list[float] = []
    theirs: list[float] = []
    for path in sorted(SHARED_CALLS.glob("*.wav"))[:3]:
        channels, rate_hz = soundfile.read(path)
        rows = rttm_rows(path.with_suffix(".rttm"))
        for number, samples in enumerate(channels.T):
            spans = union(spoken_by(("caller", "agent")[number], rows))
            voicing_error, gross_error, semitones = agreement(samples, rate_hz, spans)
            assert voicing_error < 0.15 and semitones < 0.2
            ours.append(gross_error)
            at_s = np.concatenate([np.arange(s.start_s, s.end_s, 0.01) for s in spans])
            narrow = praat(telephone(samples, rate_hz), rate_hz, at_s)
            theirs.append(
                float((errors_st(narrow, praat(samples, rate_hz, at_s)) > GROSS_ST).mean())
            )
    assert np.mean(ours) < 0.04
    assert np.mean(ours) < np.mean(theirs)
