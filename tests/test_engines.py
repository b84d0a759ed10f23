"""The real networks: they hear, they tell voices apart, and they stay at home and quiet."""

import shutil
import subprocess
import sys
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm

from warmline.errors import ModelError
from warmline.models import ModelStore
from warmline.models.catalogue import EMBEDDING, SEGMENTATION, whisper_name
from warmline.models.engines import Engines
from warmline.models.products import product_in_8_bits, product_with

RATE_HZ = 16_000
LOAD_ALL = """
import os, sys
from warmline.models.engines import Engines
from warmline.models import ModelStore
from warmline.settings import PlaceSettings
heavy = {"torch", "whisper", "pyannote.audio", "torchaudio", "lightning"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
engines = Engines(ModelStore.from_settings(PlaceSettings()))
engines.whisper("tiny.en", "int8"), engines.segmentation(), engines.embedding()
engines.reading_encoder().texts(["hello"], 64)
from pyannote.audio.telemetry.metrics import is_metrics_enabled
assert not is_metrics_enabled()
assert os.environ["HF_HUB_OFFLINE"] == "1"
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
"""


LISTEN = """
import sys
import numpy as np
from warmline.models.engines import Engines, import_libraries
from warmline.models import ModelStore
from warmline.settings import PlaceSettings
import_libraries()
engines = Engines(ModelStore.from_settings(PlaceSettings()))
noise = np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32)
engines.powerset(noise[None]), engines.embeddings([noise])
print(*{"pyannote", "lightning", "torch._dynamo", "pandas", "matplotlib"} & set(sys.modules))
"""


LOAD_WHISPER = """
from pathlib import Path
from warmline.models.catalogue import whisper_name
from warmline.models.engines import Engines, import_libraries
from warmline.models import ModelStore
from warmline.settings import PlaceSettings
def kb(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
import_libraries()
engines = Engines(ModelStore.from_settings(PlaceSettings()))
Path("/proc/self/clear_refs").write_text("5")
before = kb("VmRSS")
engines.whisper("tiny.en", "bfloat16")
print(1024 * (kb("VmHWM") - before))
"""


ENCODE_MANY_LENGTHS = """
from pathlib import Path
import torch
from warmline.models.engines import Engines
from warmline.models import ModelStore
from warmline.processes import give_memory_back
from warmline.settings import PlaceSettings
def own_kb():
    give_memory_back()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
torch.set_num_threads(1)
model = Engines(ModelStore.from_settings(PlaceSettings())).whisper("tiny.en", "bfloat16")
from warmline.words.decoding import encode
def heard(frames):
    with torch.inference_mode():
        encode(model, torch.zeros(1, 80, 2 * frames, dtype=torch.bfloat16))
for frames in range(100, 140):
    heard(frames)
before = own_kb()
for frames in range(140, 240):
    heard(frames)
print(own_kb() - before)
"""


@pytest.fixture(scope="module")
def samples(two_speakers: Path) -> NDArray[np.float32]:
    import soundfile

    samples, rate_hz = soundfile.read(two_speakers, dtype="float32")
    assert rate_hz == RATE_HZ
    return samples


@pytest.fixture(scope="module")
def truth(two_speakers: Path) -> Annotation:
    return load_rttm(two_speakers.with_suffix(".rttm"))["sample"]


def cut(samples: NDArray[np.float32], segment: Segment) -> NDArray[np.float32]:
    return samples[round(segment.start * RATE_HZ) : round(segment.end * RATE_HZ)]


@pytest.mark.parametrize(
    ("limit", "able"),
    [(None, True), ("AVX512_CORE_AMX", True), ("AVX2", False), ("AVX512_CORE_VNNI", False)],
)
def test_bfloat16_is_left_alone_where_onednn_may_not_use_the_processors(
    limit: str | None, able: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert Engines(ModelStore(tmp_path)).computes_bfloat16 is able


def test_a_model_that_is_not_stored_is_asked_for_by_name(tmp_path: Path) -> None:
    engines = Engines(ModelStore(tmp_path))
    with pytest.raises(ModelError, match="run `warmline models pull whisper-base`"):
        engines.whisper("base")
    with pytest.raises(ModelError, match="openai-whisper has no model 'basic'"):
        engines.whisper("basic")


@pytest.mark.models
def test_networks_load_late_silently_and_without_telemetry(engines: Engines) -> None:
    done = subprocess.run([sys.executable, "-c", LOAD_ALL], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.models
def test_listening_takes_nothing_that_only_training_needs(engines: Engines) -> None:
    done = subprocess.run([sys.executable, "-c", LISTEN], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


class Planted:
    """Something that runs when a file with it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.mark.models
@pytest.mark.parametrize("name", [SEGMENTATION, EMBEDDING, whisper_name("tiny.en")])
def test_code_in_a_file_of_a_model_does_not_run(
    engines: Engines, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(engines.store.folder / name, tmp_path / name)
    there = Engines(ModelStore(tmp_path))
    path = there.store.path_of(name)
    path.chmod(0o600)
    torch.save(Planted(tmp_path / "ran"), path)
    load = {
        SEGMENTATION: there.segmentation,
        EMBEDDING: there.embedding,
        whisper_name("tiny.en"): lambda: there.whisper("tiny.en"),
    }[name]
    with pytest.raises(ModelError, match="damaged"):
        load()
    monkeypatch.setattr(ModelStore, "genuine_path_of", ModelStore.path_of)
    with pytest.raises(UnpicklingError):  # nor if the digest had been that of the file
        load()
    assert not (tmp_path / "ran").exists()


@pytest.mark.models
def test_each_network_is_loaded_once(engines: Engines) -> None:
    assert engines.segmentation() is engines.segmentation()
    assert engines.whisper("tiny.en") is engines.whisper("tiny.en")
    assert engines.whisper("tiny.en") is not engines.whisper("tiny.en", "int8")


@pytest.mark.models
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the most memory since a moment")
def test_loading_whisper_takes_its_file_and_its_weights_and_no_further_copy(
    engines: Engines,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD_WHISPER], capture_output=True, text=True, check=True
    )
    file_bytes = engines.store.path_of(whisper_name("tiny.en")).stat().st_size
    assert int(done.stdout) < 2.7 * file_bytes


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what a process has for itself")
def test_memory_does_not_grow_with_the_number_of_different_lengths_that_were_heard(
    engines: Engines,
) -> None:
    """A long call has hundreds of them."""
    if not engines.computes_bfloat16:
        pytest.skip("only in bfloat16 does torch keep something for each")
    done = subprocess.run(
        [sys.executable, "-c", ENCODE_MANY_LENGTHS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 8_000


@pytest.mark.models
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_weights_that_whisper_casts_are_kept_as_asked_and_the_rest_in_float32(
    engines: Engines, precision: str
) -> None:
    model = engines.whisper("tiny.en", precision)
    cast = {n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv1d)}
    cast |= {"decoder.token_embedding"}
    weights = [*model.named_parameters(), *model.named_buffers()]
    kept = {
        name: str(weight.dtype).removeprefix("torch.")
        for name, weight in weights
        if weight.is_floating_point()
    }
    wanted = {n: precision if n.rpartition(".")[0] in cast else "float32" for n in kept}
    assert len(cast) > 20 and kept == wanted


@pytest.mark.models
class TestWhisper:
    def test_the_converted_model_hears_what_was_said_and_when(
        self, engines: Engines, samples: NDArray[np.float32], two_speakers: Path
    ) -> None:
        heard = engines.whisper("tiny.en").transcribe(
            samples, word_timestamps=True, condition_on_previous_text=False, fp16=False
        )
        starts: dict[str, list[float]] = {}
        for segment in heard["segments"]:
            for word in segment["words"]:
                starts.setdefault(word["word"].strip(" ,.?").lower(), []).append(word["start"])

        lines = two_speakers.with_suffix(".stm").read_text().splitlines()
        said = [line.split(maxsplit=5) for line in lines if not line.startswith(";")]
        found, total = 0, 0
        for _, _, _, start, end, text in said:
            for word in text.lower().replace("?", "").replace(",", "").replace(".", "").split():
                total += 1
                inside = (float(start) - 0.5 <= s <= float(end) + 0.5 for s in starts.get(word, ()))
                found += any(inside)
        assert found / total > 0.8

    def test_8_bits_hold_all_layers_but_those_with_outliers_and_say_nearly_the_same(
        self, engines: Engines, samples: NDArray[np.float32]
    ) -> None:
        import whisper

        exact, rough = engines.whisper("tiny.en"), engines.whisper("tiny.en", "int8")
        for name, layer in rough.encoder.named_modules():
            if isinstance(layer, torch.nn.Linear):
                assert (layer.weight.numel() > 0) is name.endswith("mlp.2"), name

        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(torch.from_numpy(samples)))[None]
        tokenizer = whisper.tokenizer.get_tokenizer(multilingual=False)
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        text = tokenizer.encode(" Hello? Hello? Oh, hello. I didn't know you were there.")
        tokens = torch.tensor([[*prompt, *text]])
        with torch.inference_mode():
            expected = exact(mel, tokens).log_softmax(-1)
            got = rough(mel, tokens).log_softmax(-1)
        divergence = (expected.exp() * (expected - got)).sum(-1).mean()
        assert float(divergence) < 0.05  # nats a token


@pytest.mark.models
class TestSegmentation:
    def test_finds_the_speech_that_people_marked(
        self, engines: Engines, samples: NDArray[np.float32], truth: Annotation
    ) -> None:
        windows = samples[: 30 * RATE_HZ].reshape(3, -1)
        is_speech = 1 - engines.powerset(windows)[..., 0].ravel() > 0.5
        times = (np.arange(is_speech.size) + 0.5) * 30 / is_speech.size
        spoken = truth.get_timeline().support()
        expected = np.array([any(s.overlaps(t) for s in spoken) for t in times])
        assert np.mean(is_speech == expected) > 0.9


@pytest.mark.models
class TestEmbedding:
    def test_a_voice_is_nearer_to_itself_than_to_the_other(
        self, engines: Engines, samples: NDArray[np.float32], truth: Annotation
    ) -> None:
        turns = [(s, who) for s, _, who in truth.itertracks(yield_label=True) if s.duration > 1.5]
        voices = engines.embeddings([cut(samples, segment) for segment, _ in turns])
        assert voices.shape == (len(turns), 192)
        likeness = voices @ voices.T
        same = np.array([[a == b for _, b in turns] for _, a in turns])
        other_pairs = ~np.eye(len(turns), dtype=bool)
        assert likeness[same & other_pairs].mean() > likeness[~same].mean() + 0.2
        nearest = np.where(other_pairs, likeness, -1.0).argmax(axis=1)
        assert all(same[i, j] for i, j in enumerate(nearest))

    def test_loudness_does_not_change_a_voice(
        self, engines: Engines, samples: NDArray[np.float32]
    ) -> None:
        stretch = samples[22 * RATE_HZ : 26 * RATE_HZ]
        loud, quiet = engines.embeddings([stretch, stretch * np.float32(0.1)])
        assert float(loud @ quiet) > 0.999

    def test_both_networks_compute_what_they_do_in_pyannote_audio(
        self, engines: Engines, samples: NDArray[np.float32]
    ) -> None:
        import torch

        windows = np.stack([samples[: 10 * RATE_HZ], samples[-10 * RATE_HZ :]])
        with torch.inference_mode():
            scores = engines.segmentation()(torch.from_numpy(windows)[:, None])
            rows = [engines.embedding()(torch.from_numpy(w)[None, None]) for w in windows]
        assert np.array_equal(engines.powerset(windows), scores.exp().numpy())
        vectors = torch.nn.functional.normalize(torch.cat(rows)).numpy()
        assert np.array_equal(engines.embeddings(list(windows)), vectors)

    def test_weights_choose_who_is_heard(
        self, engines: Engines, samples: NDArray[np.float32]
    ) -> None:
        import torch

        model = engines.embedding()
        waveforms = torch.from_numpy(samples[10 * RATE_HZ : 20 * RATE_HZ])[None, None]
        weights = torch.zeros(3, 1000)
        weights[0, 500:750] = 1.0  # 15.0 to 17.5 s: the second speaker alone
        weights[1] = 1.0
        with torch.inference_mode():
            alone, everything, nobody = model(waveforms.repeat(3, 1, 1), weights=weights)
            cut_out = model(waveforms[..., 5 * RATE_HZ : round(7.5 * RATE_HZ)])[0]
            whole = model(waveforms)[0]
        assert float(torch.cosine_similarity(alone, cut_out, dim=0)) > 0.97
        assert torch.allclose(everything, whole, atol=1e-5)
        assert nobody.isnan().all()

    def test_too_little_sound_is_refused(self, engines: Engines) -> None:
        import torch

        with pytest.raises(ValueError, match="720 samples; an embedding needs 1040"):
            engines.embedding()(torch.zeros(1, 1, 720))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("rows", [(1,), (40,), (8, 4)])
def test_weights_laid_out_once_multiply_as_others_do(
    dtype: torch.dtype, rows: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(7)
    weight, bias, x = (
        torch.randn(*shape, generator=generator).to(dtype)
        for shape in ((96, 64), (96,), (*rows, 64))
    )
    for given in (None, bias):
        expected = torch.nn.functional.linear(x, weight, given)
        torch.testing.assert_close(product_with(weight, given)(x), expected)


def test_a_row_in_8_bits_is_multiplied_nearly_exactly_whatever_is_beside_it() -> None:
    generator = torch.Generator().manual_seed(7)
    weight, bias, x = (
        torch.randn(*shape, generator=generator) for shape in ((96, 512), (96,), (4, 5, 512))
    )
    x *= torch.tensor([1e-3, 1.0, 0.0, 1e3])[:, None, None]
    for given in (None, bias):
        multiply = product_in_8_bits(weight, given)
        found, expected = multiply(x), torch.nn.functional.linear(x, weight, given)
        error = (found - expected).norm(dim=-1) / expected.norm(dim=-1).clamp_min(1e-9)
        assert float(error.max()) < 0.02
        assert torch.equal(multiply(x[1, 2:3]), found[1, 2:3])


@pytest.mark.models
def test_a_decoder_in_bfloat16_keeps_no_second_copy_of_its_weights(engines: Engines) -> None:
    if not engines.computes_bfloat16:
        pytest.skip("this processor computes in float32")
    decoder = engines.whisper("tiny.en", "bfloat16").decoder
    assert decoder.blocks[0].mlp[0].weight.numel() == 0
    text = torch.tensor([[50257, 50362, 18435]])
    sound = torch.randn(1, 50, 384, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        short = decoder(text, sound.bfloat16())[0, -1]
        exact = engines.whisper("tiny.en").decoder(text, sound)[0, -1]
    assert torch.corrcoef(torch.stack([short, exact]))[0, 1] > 0.999
