"""A copy of the recording in which a tone stands for what was redacted, listened to again."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from support import factories
from support.sounds import RATE_HZ, talk, write
from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.cli import app
from warmline.errors import QueryError
from warmline.models.engines import Engines
from warmline.query.export import (
    MARGIN_S,
    TONE_HZ,
    bleeped,
    write_bleeped,
)
from warmline.recordings import identify
from warmline.recordings.sound import decode
from warmline.settings import RecordingSettings
from warmline.values import Redaction, Span
from warmline.warehouse.publishing import publish

SETTINGS = RecordingSettings()
DIGITS = "zero|one|two|three|four|five|six|seven|eight|nine"
HIDDEN = (Redaction(1.0, 1.6, "A", "card", 0), Redaction(4.9, 5.5, "A", "phone", 1))


@pytest.fixture
def heard(tmp_path: Path) -> CallAnalysis:
    """A call of two channels of talk, something private said twice in it."""
    sound = np.stack([talk(6.0, 120.0, 1), talk(6.0, 210.0, 2)])
    path = write(tmp_path / "calls.wav", sound, RATE_HZ)
    return replace(factories.call("c1"), recording=identify(path), redactions=HIDDEN)


def tone_share(samples: np.ndarray) -> float:
    """How much of the energy lies within 20 Hz of the tone."""
    power = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
    hz = np.fft.rfftfreq(samples.size, 1 / RATE_HZ)
    return float(power[np.abs(hz - TONE_HZ) < 20].sum() / power.sum())


def test_a_tone_stands_for_the_words_and_the_rest_is_as_it_was(
    tmp_path: Path, heard: CallAnalysis
) -> None:
    before = Path(heard.recording.path).read_bytes()
    copy = write_bleeped(heard, SETTINGS, tmp_path / "out")
    assert copy == tmp_path / "out" / "c1.bleeped.wav"
    original, sound = decode(Path(heard.recording.path), SETTINGS), decode(copy, SETTINGS)
    assert sound.pcm.shape == original.pcm.shape
    kept = np.ones(sound.pcm.shape[1], bool)
    for span in HIDDEN:
        for channel in range(2):
            start_s, end_s = span.start_s - MARGIN_S, min(span.end_s + MARGIN_S, 6.0)
            assert tone_share(sound.channel(channel, start_s, end_s)) > 0.99
            assert tone_share(original.channel(channel, start_s, end_s)) < 0.3
        first, past = (round(t * RATE_HZ) for t in (start_s, end_s))
        kept[first:past] = False
    assert kept.mean() == pytest.approx(0.6, abs=0.01)
    assert np.array_equal(sound.pcm[:, kept], original.pcm[:, kept])
    assert Path(heard.recording.path).read_bytes() == before


@given(
    spans=st.lists(st.tuples(st.floats(-1, 4), st.floats(0, 3)), max_size=5),
    count=st.integers(0, 40_000),
)
def test_any_span_is_covered_and_no_other(spans: list[tuple[float, float]], count: int) -> None:
    pcm = np.full((1, count), 12_345, np.int16)  # a value that the tone never has
    hidden = [Span(start_s, start_s + length_s) for start_s, length_s in spans]
    changed = bleeped(pcm, hidden)[0] != 12_345
    time_s = np.arange(count) / RATE_HZ
    wanted = np.zeros(count, bool)
    for span in hidden:
        wanted |= (time_s >= span.start_s) & (time_s <= span.end_s)
    assert changed[wanted].all()
    for span in hidden:
        wanted |= (time_s >= span.start_s - 0.31) & (time_s <= span.end_s + 0.31)
    assert not changed[~wanted].any()
    assert (pcm == 12_345).all()


def test_what_would_hide_nothing_or_another_call_is_not_written(
    tmp_path: Path, heard: CallAnalysis
) -> None:
    with pytest.raises(QueryError, match="without redaction"):
        write_bleeped(replace(heard, redactions=None), SETTINGS, tmp_path / "out")
    write(Path(heard.recording.path), talk(6.0, 140.0, 3)[None], RATE_HZ)
    with pytest.raises(QueryError, match="another recording now"):
        write_bleeped(heard, SETTINGS, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_writes_the_copy(tmp_path: Path, heard: CallAnalysis) -> None:
    landing.write(heard, tmp_path / "w.landing")
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", ())
    place = ["--warehouse", str(tmp_path / "w.duckdb"), "--to", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["export", "c1", "--format", "bleeped", *place])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "c1.bleeped.wav").is_file()


@pytest.mark.models
@pytest.mark.slow
def test_whisper_hears_no_digit_of_the_card_in_the_copy(tmp_path: Path, engines: Engines) -> None:
    """Said by flite, analyzed with everything on, bleeped, and heard again."""
    from warmline.pipeline.analyze import analyze_recording
    from warmline.pipeline.stages import CacheKeys
    from warmline.settings import Settings, with_overrides
    from warmline.simulate.sounds import RATE_HZ as SAID_HZ
    from warmline.simulate.sounds import VOICES, speak

    said = (
        "Good morning, I would like to pay for my order today please. My card number is "
        "four five three nine, one four eight eight, zero three four three, six four six seven. "
        "Thank you, and please send the parcel to my neighbour."
    )
    spoken = speak(said, next(iter(VOICES.values())), 1.1, None)
    path = write(tmp_path / "c.wav", spoken.samples[None], SAID_HZ)
    settings = with_overrides(Settings(), {"words.whisper_model": "tiny.en"})
    analysis = analyze_recording(path, CacheKeys.of(settings), engines)
    assert analysis.redactions, analysis.reason
    copy = write_bleeped(analysis, settings.recordings, tmp_path)
    again = [
        engines.whisper("tiny.en").transcribe(decode(p, SETTINGS).channel(0), fp16=False)["text"]
        for p in (path, copy)
    ]
    first, second = (re.findall(rf"\d|\b(?:{DIGITS})\b", text.lower()) for text in again)
    assert len(first) >= 12, again[0]
    assert not second, again[1]
    assert "neighbo" in again[1].lower()
