"""All sound of a file is heard, whatever its header says, or it is refused with both lengths."""

import struct
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from support.sounds import RATE_HZ, Samples, encode, talk
from warmline.errors import RecordingRefusedError
from warmline.recordings.sound import decode
from warmline.settings import RecordingSettings

SETTINGS = RecordingSettings()


def stereo(seconds: float, seed: int = 1) -> Samples:
    return np.stack([talk(seconds, 110.0 + 60 * c, seed + c) for c in (0, 1)])


def plain(path: Path, seconds: float, seed: int = 1) -> Path:
    return encode(path, stereo(seconds, seed), RATE_HZ, "pcm_s16le")


def with_data_size(path: Path, size: int) -> Path:
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "size",
    [0, 100, 64_000, 3 * 64_000, 0xFFFF_FFFF, 0x7FFF_FFFF],
    ids=["zero", "hardly any", "1 of 6 s", "3 of 6 s", "ones", "half of ones"],
)
def test_sound_beyond_what_a_wav_header_promises_is_heard(tmp_path: Path, size: int) -> None:
    whole = decode(plain(tmp_path / "whole.wav", 6.0), SETTINGS)
    stale = decode(with_data_size(plain(tmp_path / "stale.wav", 6.0), size), SETTINGS)
    assert stale.duration_s == pytest.approx(6.0, abs=0.02)
    assert np.array_equal(stale.pcm[:, : 16_000 * 5], whole.pcm[:, : 16_000 * 5])


def test_a_stale_header_of_a_telephone_codec(tmp_path: Path) -> None:
    path = encode(tmp_path / "call.wav", stereo(6.0)[:, ::2], 8000, "pcm_mulaw")
    assert decode(with_data_size(path, 16_000), SETTINGS).duration_s == pytest.approx(6, abs=0.05)


@pytest.mark.parametrize(
    "tail",
    [
        b"LIST" + struct.pack("<I", 200_000) + b"INFO" + bytes(range(199)) * 1000 + bytes(996),
        b"bext" + struct.pack("<I", 602) + bytes(602) + b"iXML" + struct.pack("<I", 4) + b"<a/>",
        bytes(300_000),
    ],
    ids=["list", "two chunks", "padding"],
)
def test_what_follows_the_sound_by_right_is_not_heard(tmp_path: Path, tail: bytes) -> None:
    path = plain(tmp_path / "call.wav", 4.0)
    path.write_bytes(path.read_bytes() + tail)
    assert decode(path, SETTINGS).duration_s == pytest.approx(4.0, abs=0.02)


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        *(("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("flac", "flac"), ("m4a", "aac")),
        *(("aac", "aac"), ("aiff", "pcm_s16be"), ("au", "pcm_s16be"), ("mka", "pcm_s16le")),
        *(("w64", "pcm_s16le"), ("opus", "libopus")),
    ],
)
def test_one_file_appended_to_another(tmp_path: Path, ending: str, codec: str) -> None:
    rate = 48_000 if codec == "libopus" else RATE_HZ
    parts = [
        encode(
            tmp_path / f"{seed}.{ending}",
            np.repeat(stereo(seconds, seed), rate // RATE_HZ, axis=1),
            rate,
            codec,
        )
        for seed, seconds in ((1, 6.0), (2, 4.0))
    ]
    joined = tmp_path / f"joined.{ending}"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    try:
        assert decode(joined, SETTINGS).duration_s == pytest.approx(10.0, abs=0.3)
    except RecordingRefusedError as e:
        assert e.code in {"two_files", "truncated"}
        first, both = parts[0].stat().st_size, joined.stat().st_size
        lengths = (f"{first} of {both} bytes", "6.0 s")
        assert any(length in str(e) for length in lengths), str(e)


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 1000])
def test_a_second_file_behind_a_header_that_does_not_know_its_length(
    tmp_path: Path, size: int
) -> None:
    first = with_data_size(plain(tmp_path / "a.wav", 3.0), size)
    first.write_bytes(first.read_bytes() + plain(tmp_path / "b.wav", 4.0).read_bytes())
    with pytest.raises(RecordingRefusedError) as caught:
        decode(first, SETTINGS)
    assert caught.value.code == "two_files"
    assert "about 3.0 of 7.0 s" in str(caught.value)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0])
@pytest.mark.parametrize("loudness", [1.0, 0.003], ids=["talk", "a faint line"])
def test_aac_behind_a_header_that_does_not_know_its_length(
    tmp_path: Path, size: int, loudness: float
) -> None:
    """It has no beginning that is never there by chance, and would be heard as noise."""
    samples = loudness * stereo(3.0, seed=3)
    soundfile.write(tmp_path / "a.wav", samples.T, RATE_HZ, subtype="PCM_16")
    one = with_data_size(tmp_path / "a.wav", size).read_bytes()
    other = encode(tmp_path / "b.aac", stereo(2.0, seed=4), RATE_HZ, "aac").read_bytes()
    (tmp_path / "joined.wav").write_bytes(one + other)
    with pytest.raises(RecordingRefusedError, match=f"after {len(one)} of ") as caught:
        decode(tmp_path / "joined.wav", SETTINGS)
    assert caught.value.code == "two_files"
    (tmp_path / "alone.wav").write_bytes(one)
    assert decode(tmp_path / "alone.wav", SETTINGS).duration_s == pytest.approx(3.0, abs=0.01)


def samples_file(path: Path, kind: str, seconds: float, rate_hz: int = RATE_HZ) -> bytes:
    """A file of plain samples in a container that PyAV does not write."""
    sound = stereo(seconds, seed=round(seconds))[:, :: RATE_HZ // rate_hz]
    endian = "BIG" if kind == "RIFX" else None
    soundfile.write(
        path, sound.T, rate_hz, format={"RIFX": "WAV"}.get(kind, kind), subtype="PCM_16",
        endian=endian,
    )  # fmt: skip
    return path.read_bytes()


def changed(data: bytes, name: bytes, behind: int, form: str, size: int) -> bytes:
    """The size that stands so many bytes behind a name, replaced."""
    at = data.index(name) + behind
    return data[:at] + struct.pack(form, size) + data[at + struct.calcsize(form) :]


SECOND = 2 * 2 * RATE_HZ  # bytes of sound
STALE: dict[str, tuple[str, Callable[[bytes, int], bytes]]] = {
    "RF64": ("RF64", lambda data, size: changed(data, b"ds64", 16, "<Q", size)),
    "BW64": ("RF64", lambda data, size: b"BW64" + changed(data, b"ds64", 16, "<Q", size)[4:]),
    "RIFX": ("RIFX", lambda data, size: changed(data, b"data", 4, ">I", size)),
    "Wave64": ("W64", lambda data, size: changed(data, b"data", 16, "<Q", size and size + 24)),
    "AIFF": ("AIFF", lambda data, size: changed(data, b"SSND", 4, ">I", size and size + 8)),
    "AIFF, all of it": (
        "AIFF",
        lambda data, size: changed(
            changed(
                changed(data, b"SSND", 4, ">I", size + 8), b"COMM", 10, ">I", size // 4
            ), b"FORM", 4, ">I", size + 46
        ),
    ),
    "AU": ("AU", lambda data, size: changed(data, b".snd", 8, ">I", size)),
}  # fmt: skip


@pytest.mark.parametrize("size", [0, SECOND, 3 * SECOND])
@pytest.mark.parametrize("kind", STALE)
def test_sound_beyond_any_header_of_plain_samples_is_heard(
    tmp_path: Path, kind: str, size: int
) -> None:
    written, change = STALE[kind]
    data = samples_file(tmp_path / "whole", written, 6.0)
    (tmp_path / "stale").write_bytes(change(data, size))
    whole, stale = (decode(tmp_path / name, SETTINGS) for name in ("whole", "stale"))
    assert stale.duration_s == whole.duration_s == pytest.approx(6.0, abs=0.01)
    assert np.array_equal(stale.pcm, whole.pcm)


@pytest.mark.parametrize("kind", ["RF64", "RIFX", "W64", "AIFF"])
def test_plain_samples_that_are_cut_short_are_refused_with_both_lengths(
    tmp_path: Path, kind: str
) -> None:
    data = samples_file(tmp_path / "call", kind, 6.0)
    (tmp_path / "call").write_bytes(data[: len(data) // 2])
    with pytest.raises(
        RecordingRefusedError, match=r"38400[08] bytes of sound, 19\d{4} "
    ) as caught:
        decode(tmp_path / "call", SETTINGS)
    assert caught.value.code == "truncated"


Written = Callable[[str, float, int], bytes]
FIRST: dict[str, tuple[str, str]] = {
    **{kind: ("soundfile", kind) for kind in ("WAV", "RF64", "RIFX", "W64", "AIFF", "AU")},
    **{"flac": ("flac", "flac"), "m4a": ("m4a", "aac"), "mka": ("mka", "pcm_s16le")},
    **{"opus": ("opus", "libopus"), "mp3": ("mp3", "libmp3lame"), "aac": ("aac", "aac")},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Files of each kind, written once."""
    return cache(partial(_written, tmp_path_factory.mktemp("written")))


def _written(folder: Path, name: str, seconds: float, rate_hz: int) -> bytes:
    ending, codec = FIRST[name]
    if ending == "soundfile":
        return samples_file(folder / f"{seconds}.{name}", codec, seconds, rate_hz)
    rate = 48_000 if codec == "libopus" else RATE_HZ
    sound = np.repeat(stereo(seconds, round(seconds)), rate // RATE_HZ, axis=1)
    return encode(folder / f"{seconds}.{ending}", sound, rate, codec).read_bytes()


@pytest.mark.parametrize("second", ["WAV", "mp3", "flac", "m4a", "opus", "W64", "AIFF", "AU"])
@pytest.mark.parametrize("first", FIRST)
def test_a_file_of_another_kind_or_rate_behind_the_first_is_not_passed_over(
    tmp_path: Path, written: Written, first: str, second: str
) -> None:
    """It is read on, where both are of one kind that may be, or refused with both lengths."""
    one, other = written(first, 6.0, RATE_HZ), written(second, 4.0, 8000)
    (tmp_path / "joined").write_bytes(one + other)
    try:
        heard_s = decode(tmp_path / "joined", SETTINGS).duration_s
    except RecordingRefusedError as e:
        if (first, second) == ("aac", "mp3"):  # which may hold such tags: FFmpeg ends there
            assert str(e) == "joined: cannot be read on after 6.1 s of sound"
            return
        assert e.code == "two_files"
        assert f"after {len(one)} of {len(one) + len(other)} bytes" in str(e)
    else:
        assert first == second in {"mp3", "flac", "opus"}
        assert heard_s == pytest.approx(10.0, abs=0.3)


@pytest.mark.parametrize("chunk", [b"JUNK", b"bext", b"LIST"])
def test_a_second_wav_file_is_known_whatever_chunk_it_begins_with(
    tmp_path: Path, chunk: bytes
) -> None:
    one = samples_file(tmp_path / "one", "WAV", 6.0)
    other = samples_file(tmp_path / "other", "WAV", 4.0, rate_hz=8000)
    other = other[:12] + chunk + struct.pack("<I", 28) + bytes(28) + other[12:]
    for first in (one, changed(one, b"data", 4, "<I", 0), changed(one, b"data", 4, "<I", SECOND)):
        (tmp_path / "joined").write_bytes(first + other)
        with pytest.raises(RecordingRefusedError, match=f"after {len(one)} of ") as caught:
            decode(tmp_path / "joined", SETTINGS)
        assert caught.value.code == "two_files"


@pytest.mark.parametrize("between", [b"", b"LIST" + struct.pack("<I", 4) + b"INFO"])
def test_sound_in_two_pieces_is_not_half_heard(tmp_path: Path, between: bytes) -> None:
    whole = samples_file(tmp_path / "whole", "WAV", 6.0)
    at = whole.index(b"data")
    sound = whole[at + 8 :]
    pieces = [sound[: 2 * SECOND], sound[2 * SECOND :]]
    chunks = [b"data" + struct.pack("<I", len(piece)) + piece for piece in pieces]
    (tmp_path / "call").write_bytes(whole[:at] + chunks[0] + between + chunks[1])
    with pytest.raises(RecordingRefusedError, match="a second piece of sound begins after") as e:
        decode(tmp_path / "call", SETTINGS)
    assert "(about 2.0 of 6.0 s)" in str(e.value)


def test_what_stands_inside_of_chunks_is_no_second_file(tmp_path: Path) -> None:
    """Old headers that a program keeps, and tags, are not sound."""
    whole = samples_file(tmp_path / "whole", "WAV", 6.0)
    tag = b"ID3\x04\0\0\0\0\x02\x01TIT2" + bytes(247)
    for content in (whole[:200], tag):
        kept = b"JUNK" + struct.pack("<I", len(content)) + content
        (tmp_path / "call").write_bytes(whole + kept)
        assert decode(tmp_path / "call", SETTINGS).duration_s == pytest.approx(6.0, abs=0.01)
