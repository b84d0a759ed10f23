"""Finding recordings, and saying what a file is."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.unprivileged import as_nobody
from warmline.errors import RecordingRefusedError
from warmline.recordings import find_recordings, identify
from warmline.settings import RecordingSettings

SETTINGS = RecordingSettings(settle_s=0)


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def names(folder: Path, found: tuple[Path, ...]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


def test_folders_are_searched_to_the_bottom_in_order(tmp_path: Path) -> None:
    make(tmp_path, "b.wav", "a/z.MP3", "a/deep/er/c.Opus", "notes.txt", "b.json", "電話.m4a")
    found = find_recordings([tmp_path], SETTINGS)
    assert names(tmp_path, found.recordings) == ["a/deep/er/c.Opus", "a/z.MP3", "b.wav", "電話.m4a"]
    assert found.problems == ()


def test_what_is_hidden_or_unfinished_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path, ".a.wav", "._a.wav", ".trash/a.wav", "a.wav.part", "b.tmp.wav", "c.mp3.filepart")
    make(tmp_path, "done.wav", "part.wav", "a.part1.wav")
    found = find_recordings([tmp_path], SETTINGS)
    assert names(tmp_path, found.recordings) == ["a.part1.wav", "done.wav", "part.wav"]
    assert names(tmp_path, found.unfinished) == ["a.wav.part", "b.tmp.wav", "c.mp3.filepart"]


def test_a_named_file_is_always_taken(tmp_path: Path) -> None:
    make(tmp_path, "call", ".hidden.wav", "call.txt")
    wanted = [tmp_path / name for name in ("call.txt", "call", ".hidden.wav")]
    assert set(find_recordings(wanted, SETTINGS).recordings) == set(wanted)


def test_every_file_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "in/a.wav", "in/b.wav")
    (tmp_path / "in" / "link.wav").symlink_to(tmp_path / "in" / "b.wav")
    monkeypatch.chdir(tmp_path)
    found = find_recordings([tmp_path, Path("in/a.wav"), tmp_path / "in", Path("in")], SETTINGS)
    assert [path.name for path in found.recordings] == ["a.wav", "b.wav"]


def test_loops_of_links_end(tmp_path: Path) -> None:
    make(tmp_path, "a/b/call.wav")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    found = find_recordings([tmp_path], SETTINGS)
    assert names(tmp_path, found.recordings) == ["a/b/call.wav"]


def test_what_is_not_there_or_cannot_be_stored_is_said(tmp_path: Path) -> None:
    make(tmp_path, "good.wav")
    os.close(os.open(os.fsencode(tmp_path) + b"/bad\xff.wav", os.O_CREAT | os.O_WRONLY))
    found = find_recordings([tmp_path, tmp_path / "gone"], SETTINGS)
    assert [path.name for path in found.recordings] == ["good.wav"]
    gone, bad = found.problems
    assert "gone: no such file or folder" in gone
    assert "rename it" in bad
    assert bad.encode("utf-8")


def test_an_unreadable_folder_is_said_and_the_rest_is_found() -> None:
    with TemporaryDirectory() as name:  # pytest's own is closed to others from its top
        folder = Path(name)
        make(folder, "open/a.wav", "shut/b.wav")
        for open_ in (folder, folder / "open"):  # whatever the umask is
            open_.chmod(0o755)
        (folder / "open" / "a.wav").chmod(0o644)
        (folder / "shut").chmod(0)
        with as_nobody():
            found = find_recordings([folder], SETTINGS)
        (folder / "shut").chmod(0o755)
        assert names(folder, found.recordings) == ["open/a.wav"]
        assert "shut: cannot look into this folder" in found.problems[0]


def test_extensions_are_a_setting(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", "a.dss")
    found = find_recordings([tmp_path], RecordingSettings(extensions=("dss",), settle_s=0))
    assert names(tmp_path, found.recordings) == ["a.dss"]


def test_identity_is_of_the_bytes(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(data)
    moment = datetime(2025, 2, 19, 6, 1, 22, tzinfo=UTC)
    os.utime(tmp_path / "a.wav", (moment.timestamp(), moment.timestamp()))
    one, two = identify(tmp_path / "a.wav"), identify(tmp_path / "b.wav")
    assert one.audio_sha256 == two.audio_sha256 == hashlib.sha256(data).hexdigest()
    assert (one.path, one.size_bytes) == (str(tmp_path / "a.wav"), 3_000_000)
    assert one.modified_at == moment


@pytest.mark.parametrize(("name", "code"), [("", "not_a_file"), ("gone", "not_found")])
def test_what_is_no_file_has_no_identity(tmp_path: Path, name: str, code: str) -> None:
    with pytest.raises(RecordingRefusedError) as refused:
        identify(tmp_path / name)
    assert refused.value.code == code


def test_an_empty_file_has_no_identity(tmp_path: Path) -> None:
    make(tmp_path, "a.wav")
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(RecordingRefusedError, match="0 bytes"):
        identify(tmp_path / "a.wav")


def test_sound_that_is_not_read_is_named_with_the_reason(tmp_path: Path) -> None:
    make(tmp_path, "a.g729", "b.SLN", "in/c.vox", "d.vox", "e.wav", "f.nmf", "g.json", "h.txt")
    found = find_recordings([tmp_path], RecordingSettings())
    assert names(tmp_path, found.recordings) == ["e.wav"]
    headerless, unknown = found.problems
    assert "passed over 4 files (a.g729, b.SLN, c.vox and 1 more)" in headerless
    assert "without a header" in headerless
    assert "passed over 1 file (f.nmf)" in unknown
    assert "recordings.extensions" in unknown


def test_extensions_that_are_set_are_not_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.sln")
    found = find_recordings([tmp_path], RecordingSettings(extensions=("sln",)))
    assert (len(found.recordings), found.problems) == (1, ())
