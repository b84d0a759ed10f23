"""What is no call is refused with its own code and a sentence, quickly and in silence."""

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.sounds import RATE_HZ, encode, tone, write
from support.unprivileged import as_nobody
from warmline.errors import QueryError, RecordingRefusedError
from warmline.pipeline import calls
from warmline.privacy import subject_access
from warmline.recordings import identify
from warmline.recordings.remote import RemoteFile
from warmline.recordings.sound import decode
from warmline.settings import RecordingSettings
from warmline.warehouse.landing_folder import LandingFolder
from warmline.web.sound import require_here

SETTINGS = RecordingSettings()
MAX_S = 5.0


def refusal(path: Path, settings: RecordingSettings = SETTINGS) -> RecordingRefusedError:
    with pytest.raises(RecordingRefusedError) as caught:
        decode(path, settings)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def raw(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    return raw(path.with_name("cut-" + path.name), data[: int(len(data) * share)])


def wav(path: Path, samples: np.ndarray) -> Path:
    return write(path, samples.astype(np.float32), 8000)


def encoded(path: Path, codec: str) -> Path:
    return encode(path, tone(RATE_HZ), RATE_HZ, codec)


def silent_video(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        for _ in range(10):
            image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    return path


def six_hours(path: Path) -> Path:
    """A whole WAV file of six hours that takes no room on the disk."""
    size = 6 * 3600 * 8000
    form = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1, 8000,
                       8000, 1, 8, b"data", size)  # fmt: skip
    path.write_bytes(form)
    os.truncate(path, size + len(form))
    return path


def scrambled(path: Path) -> Path:
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[3000:] = np.random.default_rng(0).integers(0, 256, data.size - 3000)
    return raw(path.with_name("scrambled-" + path.name), data.tobytes())


def noise(seconds: float, level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(1).standard_normal((1, round(seconds * 8000)))


BROKEN: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "empty": ("empty_file", lambda d: raw(d / "a.wav", b"")),
    "text": ("not_audio", lambda d: raw(d / "a.wav", b"Dear sir,\nplease find attached\n" * 99)),
    "bytes": ("not_audio", lambda d: raw(d / "a.mp3", np.random.default_rng(2).bytes(20_000))),
    "zeros": ("not_audio", lambda d: raw(d / "a.wav", bytes(20_000))),
    "one byte": ("not_audio", lambda d: raw(d / "a.wav", b"R")),
    "zip": ("not_audio", lambda d: raw(d / "a.m4a", b"PK\x03\x04" + bytes(range(256)) * 20)),
    "no samples": ("too_short", lambda d: wav(d / "a.wav", np.zeros((1, 0)))),
    "no audio": ("no_audio_stream", lambda d: silent_video(d / "a.mp4")),
    "cut wav": ("truncated", lambda d: cut(wav(d / "a.wav", tone(8000)), 0.6)),
    "cut mp3": ("truncated", lambda d: cut(encoded(d / "a.mp3", "libmp3lame"), 0.6)),
    "cut m4a": ("truncated", lambda d: cut(encoded(d / "a.m4a", "aac"), 0.6)),
    "cut flac": ("truncated", lambda d: cut(encoded(d / "a.flac", "flac"), 0.6)),
    "one second": ("too_short", lambda d: wav(d / "a.wav", noise(1.0))),
    "six hours": ("too_long", lambda d: six_hours(d / "a.wav")),
    "silence": ("silent", lambda d: wav(d / "a.wav", np.zeros((2, 40_000)))),
    "offset": ("silent", lambda d: wav(d / "a.wav", np.full((1, 40_000), 0.25))),
    "whisper of noise": ("silent", lambda d: wav(d / "a.wav", noise(5.0, 1e-4))),
    "scrambled mp3": ("corrupt", lambda d: scrambled(encoded(d / "a.mp3", "libmp3lame"))),
    "broken header": ("corrupt", lambda d: raw(d / "a.flac", b"fLaC" + bytes(5000))),
    "seven channels": ("too_many_channels", lambda d: wav(d / "a.wav", np.zeros((7, 40_000)))),
    "slow": ("unsupported_rate", lambda d: write(d / "a.wav", tone(8000), 1000)),
    "folder": ("not_a_file", lambda d: (d / "a.wav").mkdir() or d / "a.wav"),
    "gone": ("not_found", lambda d: d / "a.wav"),
    "dangling link": ("not_found", lambda d: (d / "a.wav").symlink_to(d / "b.wav") or d / "a.wav"),
    "link to itself": ("not_found", lambda d: (d / "a.wav").symlink_to(d / "a.wav") or d / "a.wav"),
    "pipe": ("not_a_file", lambda d: os.mkfifo(d / "a.wav") or d / "a.wav"),
}  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", BROKEN)
def test_broken_input_has_its_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    code, make = BROKEN[name]
    path = make(tmp_path)
    began = time.process_time()
    refused = refusal(path)
    assert refused.code == code
    assert "Errno" not in str(refused) and str(path) not in str(refused)
    assert time.process_time() - began < MAX_S
    assert capfd.readouterr() == ("", "")


def test_a_file_without_permission(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(8000), 8000)
    path.chmod(0)
    with as_nobody():
        assert refusal(path).code == "unreadable"
        with pytest.raises(RecordingRefusedError, match="no permission"):
            identify(path)


def test_in_a_folder_that_nobody_may_look_into_a_recording_may_still_be(tmp_path: Path) -> None:
    folder, gone = tmp_path / "closed", str(tmp_path / "gone.wav")
    folder.mkdir()
    path = str(write(folder / "a.wav", tone(8000), 8000))
    original = LandingFolder(None, "a.landing", f"{folder}/a.landing").original
    require_here("a", path)
    folder.chmod(0)
    try:
        with as_nobody():
            assert calls._is_there(path, cast(RemoteFile, None))
            assert subject_access._is_there(path) is None
            assert original(folder / "a.wav") is None
            with pytest.raises(QueryError, match="cannot be read"):
                require_here("a", path)
    finally:
        folder.chmod(0o700)
    assert not calls._is_there(gone, cast(RemoteFile, None))
    assert subject_access._is_there(gone) is False
    with pytest.raises(QueryError, match="is not at"):
        require_here("a", gone)


def test_a_playlist_opens_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "other.wav", tone(8000), 8000)
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nother.wav\n#EXT-X-ENDLIST\n"
    concat = "ffconcat version 1.0\nfile other.wav\n"
    for text in (hls, concat):
        assert refusal(raw(tmp_path / "list.mp3", text.encode())).code == "not_audio"


def test_a_refusal_names_both_numbers_and_the_setting(tmp_path: Path) -> None:
    path = cut(wav(tmp_path / "a.wav", tone(8000)), 0.5)
    assert "160000 bytes" in str(refusal(path))
    path = wav(tmp_path / "b.wav", noise(1.0))
    assert "1.00 s" in str(refusal(path))
    assert "min_duration_s = 2" in str(refusal(path))
    assert "max_duration_s = 14400" in str(refusal(six_hours(tmp_path / "c.wav")))


def test_bounds_are_settings(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", noise(1.0, 1e-4))
    quiet = RecordingSettings(min_duration_s=0.5, silence_db=-120)
    assert decode(path, quiet).duration_s == pytest.approx(1.0)
    assert refusal(path, RecordingSettings(min_duration_s=0.5)).code == "silent"


@pytest.fixture(scope="module")
def sound_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("fuzz")
    sound = tone(RATE_HZ)[:, RATE_HZ : 4 * RATE_HZ]
    encoders = {"wav": "pcm_s16le", "mp3": "libmp3lame", "flac": "flac", "m4a": "aac"}
    files = {
        kind: encode(folder / f"a.{kind}", sound, RATE_HZ, codec)
        for kind, codec in encoders.items()
    }
    files["ogg"] = write(folder / "a.ogg", sound, RATE_HZ, "VORBIS")
    return {kind: path.read_bytes() for kind, path in files.items()}


@settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(["wav", "mp3", "ogg", "flac", "m4a"]),
    changes=st.lists(
        st.tuples(st.integers(0, 400), st.one_of(st.integers(0, 255), st.just(255))), max_size=12
    ),
    end=st.one_of(st.none(), st.floats(0.0, 1.0)),
)
def test_a_mutated_header_is_refused_or_read(
    tmp_path: Path,
    sound_files: dict[str, bytes],
    kind: str,
    changes: list[tuple[int, int]],
    end: float | None,
) -> None:
    data = bytearray(sound_files[kind])
    for position, byte in changes:
        data[position] = byte
    path = raw(tmp_path / f"a.{kind}", bytes(data[: None if end is None else int(len(data) * end)]))
    began = time.process_time()
    try:
        sound = decode(path, SETTINGS)
    except RecordingRefusedError as refused:
        assert refused.code.isidentifier()
    else:
        assert sound.pcm.dtype == np.int16
        assert 2.0 <= sound.duration_s <= SETTINGS.max_duration_s
    assert time.process_time() - began < MAX_S
