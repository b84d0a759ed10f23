"""Every format a call centre has comes out as the same sound, at the same time, channels apart."""

import re
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from support.sounds import conversation, encode, tone, write
from warmline.errors import RecordingRefusedError
from warmline.recordings.sound import (
    SAMPLE_RATE_HZ,
    GrowingPcm,
    Sound,
    decode,
    decode_between,
    level_peaks,
)
from warmline.settings import RecordingSettings

SETTINGS = RecordingSettings()

# file name, encoder, rate of the file, channels, codec's name as reported
FORMATS = [
    ("u8.wav", "pcm_u8", 8000, 2, "pcm_u8"),
    ("s16.wav", "pcm_s16le", 8000, 2, "pcm_s16le"),
    ("s16-11k.wav", "pcm_s16le", 11025, 1, "pcm_s16le"),
    ("s16-48k.wav", "pcm_s16le", 48000, 2, "pcm_s16le"),
    ("s24.wav", "pcm_s24le", 44100, 2, "pcm_s24le"),
    ("f32.wav", "pcm_f32le", 16000, 2, "pcm_f32le"),
    ("mulaw.wav", "pcm_mulaw", 8000, 2, "pcm_mulaw"),
    ("alaw.wav", "pcm_alaw", 8000, 2, "pcm_alaw"),
    ("gsm.wav", "GSM610", 8000, 1, "gsm_ms"),
    ("raw.gsm", "GSM610", 8000, 1, "gsm"),
    ("low.mp3", "libmp3lame", 8000, 2, "mp3"),
    ("high.mp3", "libmp3lame", 44100, 2, "mp3"),
    ("aac.m4a", "aac", 16000, 2, "aac"),
    ("adts.aac", "aac", 44100, 2, "aac"),
    ("opus.ogg", "libopus", 48000, 2, "opus"),
    ("vorbis.ogg", "VORBIS", 16000, 2, "vorbis"),
    ("flac.flac", "flac", 22050, 2, "flac"),
    ("amr.amr", "libopencore_amrnb", 8000, 1, "amr_nb"),
    ("mobile.3gp", "libopencore_amrnb", 8000, 1, "amr_nb"),
    ("opus.webm", "libopus", 48000, 2, "opus"),
    ("mulaw.au", "pcm_mulaw", 8000, 2, "pcm_mulaw"),
    ("s16.aiff", "pcm_s16be", 16000, 2, "pcm_s16be"),
]
LOSSLESS = {"pcm_s16le", "pcm_s24le", "pcm_f32le", "flac", "pcm_s16be"}


def make(folder: Path, name: str, encoder: str, rate_hz: int, channels: int) -> Path:
    sound = tone(rate_hz, channels)
    if encoder.isupper():
        return write(folder / name, sound, rate_hz, encoder)
    return encode(folder / name, sound, rate_hz, encoder)


def level(sound: Sound, channel: int, start_s: float, end_s: float) -> float:
    part = sound.channel(channel, start_s, end_s)
    return float(np.sqrt(np.mean(part.astype(np.float64) ** 2)))


@pytest.mark.parametrize(("name", "encoder", "rate_hz", "channels", "codec"), FORMATS)
def test_a_tone_keeps_its_channel_time_and_level(
    tmp_path: Path, name: str, encoder: str, rate_hz: int, channels: int, codec: str
) -> None:
    sound = decode(make(tmp_path, name, encoder, rate_hz, channels), SETTINGS)
    assert (sound.codec, sound.native_rate_hz, sound.channel_count) == (codec, rate_hz, channels)
    assert sound.duration_s == pytest.approx(5.0, abs=0.15)
    loud = np.flatnonzero(np.abs(sound.channel(0)) > 0.1) / SAMPLE_RATE_HZ
    assert loud[0] == pytest.approx(2.0, abs=0.05)
    assert loud[-1] == pytest.approx(3.0, abs=0.05)
    steady = level(sound, 0, 2.2, 2.8)
    assert steady == pytest.approx(0.3 / np.sqrt(2), rel=0.02 if codec in LOSSLESS else 0.2)
    assert level(sound, 0, 0.5, 1.5) < 0.01 * steady
    if channels == 2:
        assert level(sound, 1, 2.2, 2.8) < (1e-4 if codec in LOSSLESS else 0.06) * steady


@pytest.mark.parametrize("name", ["call.mp4", "call.mkv", "call.mov", "call.avi"])
def test_a_video_gives_its_first_audio_stream(tmp_path: Path, name: str) -> None:
    codec = "libmp3lame" if name.endswith("avi") else "aac"
    path = encode(tmp_path / name, tone(16000), 16000, codec, picture=True)
    sound = decode(path, SETTINGS)
    loud = np.flatnonzero(np.abs(sound.channel(0)) > 0.1) / SAMPLE_RATE_HZ
    assert sound.channel_count == 2
    assert loud[0] == pytest.approx(2.0, abs=0.08)
    assert level(sound, 1, 2.2, 2.8) < 0.06 * level(sound, 0, 2.2, 2.8)


@pytest.mark.parametrize("channels", [3, 4, 6])
def test_more_channels_are_never_mixed(tmp_path: Path, channels: int) -> None:
    samples = np.zeros((channels, 5 * 16000), np.float32)
    for channel in range(channels):
        samples[channel, 8000 * (channel + 1) : 8000 * (channel + 1) + 4000] = 0.1 * (channel + 1)
    path = write(tmp_path / "many.wav", samples, 16000)
    sound = decode(path, SETTINGS)
    assert np.abs(sound.pcm - samples * 32768).max() <= 1.0


def test_the_sound_of_16_khz_pcm_is_untouched(tmp_path: Path) -> None:
    samples = conversation(turns=2)
    sound = decode(write(tmp_path / "a.wav", samples, 16000), SETTINGS)
    assert sound.pcm.dtype == np.int16
    assert np.abs(sound.pcm - samples * 32768).max() <= 1.0


def test_a_gap_in_the_time_stamps_is_silence(tmp_path: Path) -> None:
    """A recorder that lost packets: what comes after keeps its place on the call's clock."""
    path = tmp_path / "gap.mkv"
    samples = tone(16000, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for start in (*range(0, 16000, 1600), *range(32000, 80000, 1600)):
            part = (samples[:, start : start + 1600] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(part, "s16", "mono")
            frame.sample_rate = 16000
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sound = decode(path, SETTINGS)
    loud = np.flatnonzero(np.abs(sound.channel(0)) > 0.1) / SAMPLE_RATE_HZ
    assert sound.duration_s == pytest.approx(5.0, abs=0.01)
    assert loud[0] == pytest.approx(2.0, abs=0.01)
    assert not sound.channel(0, 1.01, 1.99).any()


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_of_unknown_length_is_read_to_its_end(tmp_path: Path, stated: int) -> None:
    data = bytearray(write(tmp_path / "a.wav", tone(8000), 8000).read_bytes())
    data[40:44] = stated.to_bytes(4, "little")
    path = tmp_path / "piped.wav"
    path.write_bytes(data)
    assert decode(path, SETTINGS).duration_s == pytest.approx(5.0, abs=0.01)


def test_a_recording_a_breath_short_of_its_header_is_taken(tmp_path: Path) -> None:
    data = write(tmp_path / "a.wav", tone(8000), 8000).read_bytes()
    path = tmp_path / "short.wav"
    path.write_bytes(data[: -len(data) // 100])
    assert decode(path, SETTINGS).duration_s == pytest.approx(4.95, abs=0.01)


def test_a_scratch_in_an_mp3_is_not_damage(tmp_path: Path) -> None:
    data = bytearray(encode(tmp_path / "a.mp3", tone(16000), 16000, "libmp3lame").read_bytes())
    middle = len(data) // 3
    data[middle : middle + 40] = bytes(40)
    path = tmp_path / "scratched.mp3"
    path.write_bytes(data)
    sound = decode(path, SETTINGS)
    loud = np.flatnonzero(np.abs(sound.channel(0)) > 0.1) / SAMPLE_RATE_HZ
    assert loud[0] == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize(
    "name", ["Łódź – połączenie №7.wav", "電話の録音.wav", "naïve 'call' #1?.wav"]
)
def test_names_in_any_script(tmp_path: Path, name: str) -> None:
    assert decode(write(tmp_path / name, tone(8000), 8000), SETTINGS).channel_count == 2


def test_tags_in_an_old_encoding_do_not_matter(tmp_path: Path) -> None:
    data = encode(tmp_path / "a.mp3", tone(16000), 16000, "libmp3lame").read_bytes()
    text = b"TIT2" + (9).to_bytes(4, "big") + bytes(2) + b"\x03" + b"caf\xe9 \xff\xfe\x80"
    tag = b"ID3\x03\x00\x00" + bytes([0, 0, 0, len(text)]) + text
    path = tmp_path / "tagged.mp3"
    path.write_bytes(tag + data)
    assert decode(path, SETTINGS).duration_s == pytest.approx(5.0, abs=0.2)


def test_the_length_is_bounded_while_decoding_too(tmp_path: Path) -> None:
    """A raw AMR stream does not say how long it is."""
    path = encode(tmp_path / "a.amr", tone(8000, 1), 8000, "libopencore_amrnb")
    with pytest.raises(RecordingRefusedError, match=r"max_duration_s = 3 ") as refusal:
        decode(path, RecordingSettings(max_duration_s=3))
    assert refusal.value.code == "too_long"


def test_memory_is_that_of_the_result(tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 12 * 60 * 8000), np.float32)
    path = write(tmp_path / "a.wav", noise, 8000, "ULAW")
    tracemalloc.start()
    try:
        sound = decode(path, SETTINGS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sound.duration_s == pytest.approx(720, abs=1)
    assert peak < 1.1 * sound.pcm.nbytes


def test_sound_of_unknown_length_grows_without_loss() -> None:
    rng = np.random.default_rng(0)
    chunks = [rng.integers(-99, 99, (2, 700_000 + 7 * i)).astype(np.int16) for i in range(20)]
    pcm = GrowingPcm(channels=2)
    for chunk in chunks:
        pcm.append(chunk)
        pcm.append_silence(3)
    gap = np.zeros((2, 3), np.int16)
    whole = np.concatenate([part for chunk in chunks for part in (chunk, gap)], axis=1)
    assert np.array_equal(pcm.array(), whole)


#: Containers that are decoded as a whole: they have no exact index, or their codec carries over.
REMEMBERING = {"gsm_ms", "amr_nb"}
NOT_IN_PARTS = {"raw.gsm", "adts.aac", "amr.amr", "opus.webm"}


def test_long_sound_lies_on_the_disk_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmline.recordings.sound._MOST_IN_MEMORY_BYTES", 1_000_000)
    rng = np.random.default_rng(3)
    samples = rng.integers(-9000, 9000, (2, 700 * SAMPLE_RATE_HZ), np.int16)
    is_a_file = tmp_path / "file"
    is_a_file.touch()
    for folder in (tmp_path / "scratch", is_a_file):
        pcm = GrowingPcm(2, folder=folder)  # for less than there is: it grows once
        for part in np.array_split(samples, 7, axis=1):
            pcm.append(part)
        sound = Sound(pcm.array(), 8000, "pcm").only(1)
        assert np.array_equal(pcm.array(), samples)
        in_memory = 2 * samples.size // 1024
        if folder.is_dir():
            assert not list(folder.iterdir())
            assert _mapped_kb(folder) > in_memory / 2
        assert np.array_equal(sound.channel(0, 3.0, 4.0) * 32768, samples[1, 48000:64000])
        assert _mapped_kb(folder) == 0
        assert np.array_equal(pcm.array(), samples)


def _mapped_kb(folder: Path) -> int:
    """Return how much is in memory of the files that lay in this folder."""
    held, is_there = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_there = str(folder) in line
        elif is_there and line.startswith("Rss:"):
            held += int(line.split()[1])
    return held


@pytest.mark.parametrize(("name", "encoder", "rate_hz", "channels", "codec"), FORMATS)
def test_a_part_of_a_recording_is_that_part_of_all_of_it_to_the_sample(
    tmp_path: Path, name: str, encoder: str, rate_hz: int, channels: int, codec: str
) -> None:
    """Codecs whose filters remember all that was before differ by what nobody hears, -40 dB."""
    at = np.arange(24 * rate_hz) / rate_hz
    sound = np.stack(
        [0.3 * np.sin(2 * np.pi * (200 + 90 * c + 15 * at) * at) for c in range(channels)]
    ).astype(np.float32)
    path = tmp_path / name
    if encoder.isupper():
        write(path, sound, rate_hz, encoder)
    else:
        encode(path, sound, rate_hz, encoder)
    whole = decode(path, SETTINGS).pcm
    length = whole.shape[1]
    for first, past in ((0, 16_000), (90_001, 250_000), (160_000, 320_000), (length - 999, length)):
        part = decode_between(path, SETTINGS, first, past)
        if name in NOT_IN_PARTS:
            assert part is None
            continue
        assert part is not None and part.shape == (channels, past - first)
        difference = np.abs(part.astype(int) - whole[:, first:past]).mean()
        level = np.abs(whole[:, first:past].astype(int)).mean()
        assert difference < (level / 100 if codec in REMEMBERING else 1), (first, past)


def test_what_cannot_be_decoded_in_parts_is_none(tmp_path: Path) -> None:
    many = write(tmp_path / "many.wav", np.zeros((4, 80_000), np.float32), 16_000)
    assert decode_between(many, SETTINGS, 0, 16_000) is None
    tone_16k = write(tmp_path / "a.wav", tone(16_000), 16_000)
    assert decode_between(tone_16k, SETTINGS, 60_000, 160_000) is None, "it ends before that"


def test_peaks_are_the_extremes_of_each_twentieth_of_a_second() -> None:
    pcm = np.zeros((2, 16_000 + 10), np.int16)
    pcm[0, 799], pcm[0, 800], pcm[1, 16_005] = 32767, -32768, -16384
    left, right = (np.frombuffer(one, np.int8).reshape(-1, 2) for one in level_peaks(pcm))
    assert left.shape == right.shape == (21, 2)
    assert left[0].tolist() == [0, 127] and left[1].tolist() == [-127, 0]
    assert right[20].tolist() == [-64, 0] and not right[:20].any()
    assert level_peaks(pcm[:, :0]) == (b"", b"")
