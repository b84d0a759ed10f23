"""The sound of a call: bytes, ranges, and waveforms."""

import asyncio
import hashlib
import os
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from support.pages import RATE_HZ, Served, audible, serving, sound_of, told_apart, write_sound
from support.warehouses import put
from warmline import landing
from warmline.errors import QueryError
from warmline.query.export import TONE_LEVEL, bleeped
from warmline.recordings import identify
from warmline.recordings.sound import Sound, decode, level_peaks
from warmline.settings import RecordingSettings
from warmline.values import Span
from warmline.web import sound
from warmline.web.accounts import Role
from warmline.web.sound import RangeError, Recording, SoundCache, Wav, parse_range


def test_the_browser_gets_exactly_the_bytes_it_asks_for(browser: Any, folder: Path) -> None:
    link = sound_of(browser, "ann-1")
    whole = browser.get(link)
    assert whole.status_code == 200 and whole.headers["content-type"] == "audio/wav"
    raw = whole.content
    assert raw[:4] == b"RIFF" and len(raw) == 44 + 20 * RATE_HZ * 4
    samples = np.frombuffer(raw[44:], "<i2").reshape(-1, 2).T
    at = np.arange(samples.shape[1]) / RATE_HZ
    for channel, (level, pitch) in enumerate(((8000, 300), (4000, 700))):
        truth = level * np.sin(2 * np.pi * pitch * at)
        assert np.abs(samples[channel] - truth).max() <= 2
    for first, last in ((0, 0), (0, 43), (10, 60), (44, 45), (45, 52), (1001, 9000), (43, 44)):
        part = browser.get(link, headers={"Range": f"bytes={first}-{last}"})
        assert part.status_code == 206
        assert part.content == raw[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(raw)}"
    assert browser.get(link, headers={"Range": "bytes=-7"}).content == raw[-7:]
    tail = browser.get(link, headers={"Range": f"bytes={len(raw) - 5}-"})
    assert tail.content == raw[-5:]


@pytest.fixture(scope="module")
def odd_sounds(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Wav, bytes]]:
    """Sounds of some seconds more than one or two parts, and one whose analysis came to nothing."""
    made = []
    for channels, seconds in ((1, 10.3), (2, 20.0), (2, 4.7), (3, 10.1)):
        path = tmp_path_factory.mktemp("odd") / "a.wav"
        lot = np.random.default_rng(channels)
        pcm = lot.integers(-9000, 9000, (round(seconds * RATE_HZ), channels), np.int16)
        write(path, pcm)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = (channels, len(pcm)) if seconds != 4.7 else (None, None)
        wav = Wav(Recording("a", str(path), digest, *known), RecordingSettings())
        assert wav.bytes_between(0, wav.size_bytes - 1) == path.read_bytes()
        made.append((wav, path.read_bytes()))
    return made


@given(data=st.data(), which=st.integers(0, 3))
def test_any_bytes_are_those_of_the_whole(
    data: Any, odd_sounds: list[tuple[Wav, bytes]], which: int
) -> None:
    wav, whole = odd_sounds[which]
    assert len(whole) == wav.size_bytes
    first = data.draw(st.integers(0, wav.size_bytes - 1))
    last = data.draw(st.integers(first, min(first + 400_000, wav.size_bytes - 1)))
    assert wav.bytes_between(first, last) == whole[first : last + 1]
    assert joined(wav, first, last) == whole[first : last + 1]


def write(path: Path, pcm: NDArray[np.int16], rate_hz: int = RATE_HZ) -> None:
    """Write samples, shape (samples, channels), as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(pcm.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm.tobytes())


def joined(wav: Wav, *between: int) -> bytes:
    async def read() -> bytes:
        return b"".join([block async for block in wav.blocks(*between)])

    with ThreadPoolExecutor(1) as apart:  # in the browser's process a loop runs already
        return apart.submit(asyncio.run, read()).result()


def test_what_a_player_takes_in_advance_is_paced_and_what_it_asks_for_is_not(
    odd_sounds: list[tuple[Wav, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(sound, "sleep", sleep)
    monkeypatch.setattr(sound, "_AT_ONCE_BYTES", 1)
    wav, whole = max(odd_sounds, key=lambda made: len(made[1]))
    block = sound._BLOCK_BYTES
    assert joined(wav, 0, wav.size_bytes - 1, 2 * block) == whole
    assert len(waited) == max(0, -(-wav.size_bytes // block) - 2)
    assert all(each == block / wav.bytes_a_second / 8 for each in waited)
    waited.clear()
    assert joined(wav, 0, wav.size_bytes - 1, wav.size_bytes) == whole
    assert waited == [], "somebody keeps the file"


def test_the_sound_of_a_call_is_opened_while_its_page_is_made(served: Served) -> None:
    page = served.logged_in(Role.REVIEWER)
    researcher = served.logged_in(Role.RESEARCHER)
    assert researcher.get("/call?id=ann-1").status_code == 200
    assert not served.site.sounds.is_busy and not served.site.sounds.kept
    assert page.get("/call?id=ann-1").status_code == 200
    deadline = monotonic() + 30
    while not any(wav.kept_bytes for wav in served.site.sounds.kept.values()):
        assert monotonic() < deadline, "nobody has asked for a byte of it, and it is not there"
    (recording,) = served.site.sounds.kept
    assert recording.hidden, "with the tone that this role hears"


def test_sounds_go_on_being_prepared_after_as_many_as_are_opened_at_once(tmp_path: Path) -> None:
    sounds = SoundCache(RecordingSettings())
    path = tmp_path / "a.wav"
    write_sound(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    deadline = monotonic() + 30
    for number in range(2 * sound._AT_ONCE):
        sounds.prepare(Recording(f"{number}", str(path), digest, 2, 20 * RATE_HZ))
        while len(sounds.kept) <= number or sounds._preparing._value < sound._AT_ONCE:
            assert monotonic() < deadline, "what is done makes room for the next one"
            sleep(0.001)


@pytest.mark.parametrize(
    "header", ["bytes=5-4", "bytes=-0", "bytes=", "bytes=0-1,2-3", "lines=0-1"]
)
def test_a_range_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(RangeError):
        parse_range(header, 100)


def test_ranges_are_within_the_sound() -> None:
    assert parse_range(None, 100) is None
    assert parse_range("bytes=90-500", 100) == (90, 99)
    assert parse_range("bytes=-500", 100) == (0, 99)
    with pytest.raises(RangeError):
        parse_range("bytes=100-", 100)


def test_a_recording_that_is_another_one_now_is_not_played(
    served: Served, published: Path, tmp_path: Path
) -> None:
    analysis = audible(tmp_path, "moved")
    put(tmp_path, analysis)
    Path(analysis.recording.path).write_bytes(b"RIFF")
    with serving(tmp_path) as other:
        browser = other.alone()
        assert browser.get(sound_of(browser, "moved")).status_code == 422
        Path(analysis.recording.path).unlink()
        assert "is not at" in browser.get("/call", params={"id": "moved"}).text
        form = browser.get("/call/score?id=moved").text
        assert "This call cannot be heard" in form and "▶" not in form
        for page in ("/feelings?days=all", "/agent?id=ann", "/calls?phrase=worried&days=all"):
            listed = browser.get(page).text
            assert "data-clip " not in listed and "no sound" in listed, page
            assert "its recording is not at" in listed, "where it would play"


def test_a_second_of_a_long_call_is_heard_without_decoding_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    lot = np.random.default_rng(0)
    samples = 8000 * 600
    pcm = lot.integers(-9000, 9000, (samples, 2), np.int16)
    write(path, pcm, 8000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recording = Recording("a", str(path), digest, 2, 2 * samples, (Span(400.0, 403.0),))
    sounds = SoundCache(RecordingSettings())
    wav = sounds.sound_of(recording)
    assert wav.kept_bytes == 0, "opening it decodes nothing"
    whole = bleeped(decode(path, RecordingSettings()).pcm, recording.hidden)
    for at_s in (0, 299.5, 398, 409.9, 599.5):
        first = round(at_s * RATE_HZ)
        heard = wav.between(first, first + RATE_HZ // 2)
        assert np.array_equal(heard, whole[:, first : first + RATE_HZ // 2]), at_s
    assert wav.kept_bytes <= 6 * 10 * RATE_HZ * 4 < whole.nbytes / 9
    assert sounds.sound_of(recording) is wav
    path.write_bytes(path.read_bytes()[:-2] + b"xx")
    with pytest.raises(QueryError, match="another recording now"):
        wav.between(100 * RATE_HZ, 101 * RATE_HZ)
    with pytest.raises(QueryError, match="another recording now"):
        sounds.sound_of(recording)


@pytest.mark.parametrize("channels", [2, 3])
def test_what_is_played_never_lies_in_a_file_however_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    path, scratch = tmp_path / "a.wav", tmp_path / "scratch"
    pcm = np.random.default_rng(0).integers(-9000, 9000, (3 * RATE_HZ, channels), np.int16)
    write(path, pcm)
    monkeypatch.setattr("warmline.recordings.sound._MOST_IN_MEMORY_BYTES", 0)  # anything is long
    settings = RecordingSettings(scratch=str(scratch))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    wav = Wav(Recording("a", str(path), digest, channels, len(pcm)), settings)
    assert np.array_equal(wav.between(0, len(pcm)), pcm.T)
    assert np.array_equal(wav.whole(), pcm.T)
    assert not scratch.exists()
    decode(path, settings)
    assert scratch.exists(), "where an analysis would lay it"


def test_a_sound_that_takes_long_to_decode_keeps_nobody_from_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = Event(), Event()

    def decode_slowly(path: Path, settings: RecordingSettings) -> Sound:
        begun.set()
        assert may_end.wait(30), "the other one waits for this one"
        return decode(path, settings)

    monkeypatch.setattr(sound, "decode_in_memory", decode_slowly)
    path = tmp_path / "a.wav"
    write_sound(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    slow, quick = (Recording(name, str(path), digest, 2, 20 * RATE_HZ) for name in "ab")
    sounds = SoundCache(RecordingSettings())
    with ThreadPoolExecutor(1) as pool:
        decoded = pool.submit(sounds.sound_of(slow).whole)
        assert begun.wait(30)
        assert sounds.sound_of(quick).between(0, 1).shape == (2, 1)
        may_end.set()
        whole = decoded.result()
    assert sounds.sound_of(slow).kept_bytes == whole.nbytes


#: Divided by a thousand million, another microsecond than the file system's own seconds.
HARD_TO_ROUND_NS = 1_796_000_365_001_095_365


def test_what_looks_as_it_was_analyzed_plays_at_once_and_no_more_once_it_is_found_another(
    served: Served, tmp_path: Path
) -> None:
    made = audible(tmp_path, "as-it-was")
    path = Path(made.recording.path)
    os.utime(path, ns=(HARD_TO_ROUND_NS, HARD_TO_ROUND_NS))
    put(tmp_path, replace(made, recording=identify(path)))
    with serving(tmp_path) as other, compared_by_hand(other.site.sounds) as compare:
        browser = other.alone()
        link = sound_of(browser, "as-it-was")
        first = {"Range": "bytes=0-99"}
        assert browser.get(link, headers=first).status_code == 206
        ((_, wav),) = other.site.sounds.kept.items()
        assert not wav.is_compared, "nobody waited for that"
        compare()
        assert wav.is_compared and browser.get(link, headers=first).status_code == 206
        status = path.stat()
        swapped = bytearray(path.read_bytes())
        swapped[-1] ^= 1
        path.unlink()  # another file, of the same size and time of change
        path.write_bytes(swapped)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert browser.get(link, headers=first).status_code == 206
        compare()
        for _ in range(2):
            refused = browser.get(link, headers=first)
            assert refused.status_code == 422 and "another recording now" in refused.text
        os.utime(path)
        assert browser.get(link, headers=first).status_code == 422, "compared before it is played"


@contextmanager
def compared_by_hand(sounds: SoundCache) -> Iterator[Callable[[], None]]:
    """Sounds that are compared with what was analyzed when the test says so, and not before."""
    waiting: list[Callable[[], object]] = []
    submit = sounds._comparing.submit
    sounds._comparing.submit = waiting.append  # type: ignore[assignment, method-assign]

    def compare() -> None:
        while waiting:
            waiting.pop()()

    yield compare
    sounds._comparing.submit = submit  # type: ignore[method-assign]


def test_waveforms_that_were_kept_are_drawn_without_the_recording(tmp_path: Path) -> None:
    made = audible(tmp_path, "kept")
    pcm = decode(Path(made.recording.path), RecordingSettings()).pcm
    older_one = told_apart(audible(tmp_path, "older"))
    put(tmp_path, replace(made, peaks=level_peaks(pcm)), older_one)
    with serving(tmp_path) as served:
        lead, reviewer = served.logged_in(Role.LEAD), served.logged_in(Role.REVIEWER)
        older = lead.get("/call/waveform", params={"id": "older"}).json()
        Path(made.recording.path).unlink()
        drawn = lead.get("/call/waveform", params={"id": "kept"}).json()
        assert drawn == older, "as they are worked out where nothing was kept"
        hidden = reviewer.get("/call/waveform", params={"id": "kept"}).json()["paths"]["A"]
        landing.compact(tmp_path / "landing")
        moved = lead.get("/call/waveform", params={"id": "kept"}).json()
        assert moved == drawn, "compacting has put it elsewhere since it was published"

    def heights(path: str) -> list[int]:
        return [-int(point.split()[1]) for point in path.strip("MZ").split("L")[:400]]

    shown, clear = heights(hidden), heights(drawn["paths"]["A"])
    loudest = round(8000 / 32768 * 127)
    tone = int(round(127 * TONE_LEVEL) * 120 / loudest)
    assert set(shown[6 * 20 : 7 * 20]) == {tone}, "what was redacted is as flat as its tone"
    assert set(clear[6 * 20 : 7 * 20]) == {120}
    assert shown[:100] == clear[:100]


def test_waveforms_are_of_each_party(reading: Any) -> None:
    drawn = reading.get("/call/waveform", params={"id": "ann-1"}).json()
    assert drawn["columns"] == 20 * 20
    assert set(drawn["paths"]) == {"A", "B"}
    assert all(path.startswith("M0 ") and path.endswith("Z") for path in drawn["paths"].values())
