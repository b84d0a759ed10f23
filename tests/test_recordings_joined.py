"""All sound of a file is heard, whatever its header says, or it is refused with both lengths."""

import struct
from pathlib import Path

import numpy as np
import pytest

from support.sounds import RATE_HZ, Samples, encode, talk
from warmline.errors import RecordingRefusedError
from warmline.recordings.decode import decode
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
