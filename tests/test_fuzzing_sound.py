"""Crafted recordings: heard, or refused in one clear line, soon, and in little memory."""

import resource
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.sounds import RATE_HZ, encode, tone, write
from warmline.errors import RecordingRefusedError
from warmline.recordings import identify
from warmline.recordings.sound import decode
from warmline.settings import RecordingSettings

SETTINGS = RecordingSettings(max_duration_s=600.0)
MAX_S = 5.0
MAX_GROWTH_KB = 400_000  # ten minutes of six channels at 16 kHz and 16 bits are 115 MB
quick = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
long = settings(quick, max_examples=3000)
ENCODERS = {
    **{"wav": "pcm_s16le", "mp3": "libmp3lame", "flac": "flac", "m4a": "aac", "au": "pcm_mulaw"},
    **{"mkv": "pcm_s16le", "ogg": "libopus", "aiff": "pcm_s16be", "w64": "pcm_s16le"},
}
LIMITS_32 = st.sampled_from([0, 1, 2, 7, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF])
LIMITS_16 = st.sampled_from([0, 1, 2, 6, 7, 8, 255, 0x7FFF, 0x8000, 0xFFFF])


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Three seconds in every container that is written here."""
    folder = tmp_path_factory.mktemp("sounds")
    sound = tone(RATE_HZ)[:, RATE_HZ : 4 * RATE_HZ]
    return {
        kind: encode(folder / f"a.{kind}", sound, RATE_HZ, codec).read_bytes()
        for kind, codec in ENCODERS.items()
    } | {"gsm.wav": write(folder / "g.wav", sound[:1, ::2], 8000, "GSM610").read_bytes()}


def require_answer(path: Path) -> None:
    """Sound within the settings' bounds, or a refusal that names the file in one line."""
    began, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        identify(path)
        sound = decode(path, SETTINGS)
    except RecordingRefusedError as refused:
        assert refused.code.isidentifier()
        assert path.name in str(refused) and str(refused).isprintable()
    else:
        assert sound.pcm.dtype == np.int16
        assert SETTINGS.min_duration_s <= sound.duration_s <= SETTINGS.max_duration_s
        assert 1 <= sound.channel_count <= SETTINGS.max_channels
    assert time.process_time() - began < MAX_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MAX_GROWTH_KB


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    """What is done to a file, at places from 0 to 1 of it: bytes put over, in, or taken away."""
    place = st.one_of(st.floats(0.0, 0.02), st.floats(0.0, 1.0))
    extreme = st.one_of(LIMITS_32.map(lambda n: n.to_bytes(4, "little")), LIMITS_32.map(big))
    content = st.one_of(extreme, st.binary(min_size=1, max_size=12), st.just(bytes(400)))
    kinds = st.sampled_from(["over", "over", "over", "in", "cut", "flip", "twice"])
    return draw(st.lists(st.tuples(kinds, place, content), min_size=1, max_size=6))


def big(number: int) -> bytes:
    return number.to_bytes(4, "big")


def damaged(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    changed = bytearray(data)
    for kind, place, content in changes:
        at = int(place * len(changed))
        if kind == "over":
            changed[at : at + len(content)] = content
        elif kind == "in":
            changed[at:at] = content
        elif kind == "cut":
            del changed[at:]
        elif kind == "flip" and at < len(changed):
            changed[at] ^= content[0] or 1
        elif kind == "twice":
            changed += changed[at:]
    return bytes(changed)


def try_damaged(folder: Path, data: bytes, kind: str, changes: list[tuple[str, float, bytes]]):
    path = folder / f"a.{kind}"
    path.write_bytes(damaged(data, changes))
    require_answer(path)


kinds = st.sampled_from([*ENCODERS, "gsm.wav"])


@quick
@example(kind="w64", changes=[("in", 0.00042845221117704396, b"\0\0\0\0")])  # a chunk of 824 TB
@given(kind=kinds, changes=damages())
def test_a_damaged_recording_is_heard_or_refused(tmp_path, sounds, kind, changes) -> None:
    try_damaged(tmp_path, sounds[kind], kind, changes)


@pytest.mark.slow
@long
@given(kind=kinds, changes=damages())
def test_a_damaged_recording_longer(tmp_path, sounds, kind, changes) -> None:
    try_damaged(tmp_path, sounds[kind], kind, changes)


@st.composite
def wav_headers(draw: st.DrawFn) -> bytes:
    """A WAV file whose header says anything: lengths, rates, channels, codecs, odd chunks."""
    codec = draw(st.sampled_from([1, 2, 3, 6, 7, 0x11, 0x31, 0x50, 0x55, 0xFF, 0xFFFE, 0x1234]))
    channels = draw(st.one_of(st.sampled_from([1, 2]), LIMITS_16))
    rate = draw(st.one_of(st.sampled_from([8000, 16000, 44100, 192001]), LIMITS_32))
    align = draw(st.one_of(st.just(channels * 2 % 0x10000), LIMITS_16))
    bits = draw(st.sampled_from([0, 1, 4, 8, 16, 24, 32, 64, 0xFFFF]))
    form = struct.pack("<HHIIHH", codec, channels, rate, rate * 2 % 2**32, align, bits)
    form += draw(st.sampled_from([b"", bytes(2), b"\xff" * 22, bytes(22)]))
    data = draw(st.sampled_from([b"", bytes(64_000), b"\x10\x27\xf0\xd8" * 20_000]))
    chunks = [b"fmt " + length_of(draw, form) + form]
    if draw(st.booleans()):
        odd = draw(st.sampled_from([b"LIST", b"fact", b"JUNK", b"\x00\x1b[2", b"data", b"fmt "]))
        chunks.insert(draw(st.integers(0, 1)), odd + length_of(draw, b"abcd") + b"abcd")
    chunks.append(b"data" + length_of(draw, data) + data)
    body = b"WAVE" + b"".join(chunks)
    return draw(st.sampled_from([b"RIFF", b"RIFX", b"RF64"])) + length_of(draw, body) + body


def length_of(draw: st.DrawFn, content: bytes) -> bytes:
    told = draw(st.one_of(st.just(len(content)), LIMITS_32))
    return struct.pack("<I", told)


@quick
@given(data=wav_headers())
def test_a_crafted_header_is_heard_or_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    require_answer(tmp_path / "a.wav")


@pytest.mark.slow
@long
@given(data=wav_headers())
def test_a_crafted_header_longer(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    require_answer(tmp_path / "a.wav")


def bombs(folder: Path) -> Iterator[Path]:
    """Small files of very much sound."""
    flac = folder / "long.flac"
    encode(flac, np.zeros((2, 1200 * RATE_HZ), np.float32), RATE_HZ, "flac")
    yield flac
    promised = bytearray(flac.read_bytes()[:40_000])
    promised[21:26] = b"\x0f\xff\xff\xff\xff"  # samples in all, of 36 bits
    (folder / "told.flac").write_bytes(promised)
    yield folder / "told.flac"


@pytest.mark.slow
def test_a_little_file_of_much_sound_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    for path in bombs(tmp_path):
        assert path.stat().st_size < 1_000_000
        require_answer(path)
        with pytest.raises(RecordingRefusedError, match=r"sound, more than|are there"):
            decode(path, SETTINGS)
