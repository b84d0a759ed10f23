"""The networks that listen, loaded when first used and kept for the life of the process.

Only this module imports torch, openai-whisper and pyannote.audio for loading, so that everything
else starts quickly. Nothing here reaches the network: telemetry and downloads of those packages are
switched off, and weights come from the model store.
"""

import importlib
import os
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial, wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from warmline.errors import ModelError
from warmline.models import ModelStore
from warmline.models.catalogue import (
    EMBEDDING,
    MANY_LANGUAGES,
    SEGMENTATION,
    SENTENCES,
    faster_whisper_name,
    whisper_name,
)
from warmline.models.products import FEW_ROWS, MANY_ROWS, computes_int8, in_8_bits, lay_out
from warmline.processes import give_memory_back, wait_passively
from warmline.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from faster_whisper import BatchedInferencePipeline
    from numpy.typing import NDArray
    from pyannote.audio import Model
    from whisper.model import MultiHeadAttention, Whisper

    from warmline.language.e5 import ManyLanguagesEncoder
    from warmline.language.encoders import ReadingEncoder

# Makes `import torchaudio` work when its compiled extension cannot be loaded.


_NAME = "torchaudio._extension"
_REASON = "needs torchaudio's compiled extension, which cannot be loaded beside this torch"


def make_torchaudio_importable() -> bool:
    """Import torchaudio, with a stub for its extension only if that fails to load.

    Returns whether the stub is in use. Functions of torchaudio that need the extension then raise a
    RuntimeError that says so; all others work. Any failure other than the loader's is raised.
    """
    try:
        importlib.import_module("torchaudio")
    except OSError:
        stand_in = _stand_in()
        sys.modules[_NAME] = stand_in
        try:
            torchaudio = importlib.import_module("torchaudio")
        except BaseException:
            del sys.modules[_NAME]
            raise
        vars(torchaudio)["_extension"] = stand_in
    return sys.modules[_NAME].__doc__ == _stand_in.__doc__


def _stand_in() -> ModuleType:
    """Return torchaudio._extension as of a torchaudio built without compiled code."""
    module = ModuleType(_NAME, _stand_in.__doc__)
    names = {
        "_IS_TORCHAUDIO_EXT_AVAILABLE": False,
        "_IS_ALIGN_AVAILABLE": False,
        "_load_lib": lambda _lib: False,
        "_check_cuda_version": lambda: None,
        "fail_if_no_align": _refuse,
    }
    vars(module).update(names)
    return module


def _refuse(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that raises, in place of one that needs the extension."""

    @wraps(function)
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError(f"{function.__module__}.{function.__name__} {_REASON}")

    return refuse


_STAY_HOME = {
    "ORT_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}

# oneDNN keeps the code that it made for each shape, 1024 of them by default: two megabytes for each
# segment of another length that voices are told apart by, and no faster.
_KERNELS_KEPT = "64"
# torch keeps what it prepared for each shape beside it, 1024 by default: two megabytes for each
# window of another length, half a gigabyte after two hours of sound, and no faster.
_SHAPES_KEPT = "16"
_TASK_CLASSES = ("Problem", "Resolution", "Specifications")

Loaded = TypeVar("Loaded")


class _Unread:
    """Stands for an object in a file of weights that is not needed."""

    def __init__(self, *_: object) -> None:
        pass


class Engines:
    """Loaded networks by name; safe to share between threads.

    All are in evaluation mode on `device`: the GPU if there is one, else the CPU. Each method
    raises `ModelError` when the store lacks the model, or the `listen` extra is missing.
    """

    def __init__(self, store: ModelStore) -> None:
        self.store = store
        self._loaded: dict[str, Any] = {}
        self._lock = threading.RLock()

    @classmethod
    def from_settings(cls, settings: Settings) -> "Engines":
        """Return engines over the model store that the settings name."""
        return cls(ModelStore.from_settings(settings.places))

    @property
    def device(self) -> "torch.device":
        """Return the device that the networks run on."""
        import torch

        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def computes_bfloat16(self) -> bool:
        """Return whether the CPU multiplies bfloat16 in hardware (AVX-512 or AMX).

        Not if oneDNN, which does it, is told to use less of the processor (ONEDNN_MAX_CPU_ISA).
        """
        import torch

        able = torch.cpu.get_capabilities()
        limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
        allowed = any(name in limit for name in ("ALL", "DEFAULT", "BF16", "FP16", "AMX", "AVX10"))
        return allowed and bool(able.get("amx_bf16") or able.get("avx512_bf16"))

    def whisper(self, name: str, precision: str = "float32") -> "Whisper":
        """Return the openai-whisper model of this name (`base`), ready for word timestamps.

        `precision` is `float32`, `bfloat16` or `int8` (its linear layers in 8 bits) on the CPU; a
        GPU always runs it in float16. Raises `ModelError` also for `int8` on another CPU than x86.
        """
        chosen = "float16" if self.device.type == "cuda" else precision
        return self._once(f"whisper {name} {chosen}", lambda: self._load_whisper(name, chosen))

    def faster_whisper(self, name: str, compute_type: str) -> "BatchedInferencePipeline":
        """Return faster-whisper's batched pipeline with its model of this name.

        `compute_type` is CTranslate2's (`int8`, `float32`, ...). Raises `ModelError` also when the
        `fast` extra is not installed.
        """
        key = f"faster-whisper {name} {compute_type}"
        return self._once(key, lambda: self._load_faster_whisper(name, compute_type))

    def segmentation(self) -> "Model":
        """Return pyannote's segmentation-3.0: (batch, 1, samples) to (batch, frames, 7).

        It is for pyannote.audio's own pipelines; `powerset` computes the same without it.
        """
        return self._once(f"{SEGMENTATION} of pyannote.audio", self._load_pyannote_segmentation)

    def embedding(self) -> "Model":
        """Return CAM++ as a pyannote model: `forward(waveforms, weights=None)` to (batch, 192).

        It is for pyannote.audio's own pipelines; `embeddings` computes the same without it.
        """
        return self._once(f"{EMBEDDING} of pyannote.audio", self._load_pyannote_embedding)

    def powerset(self, windows: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Return the probabilities of the segmentation's 7 sets of local speakers.

        `windows` is (windows, samples) at 16 kHz; the result (windows, frames, 7) sums to 1.
        """
        import torch

        model = self._once(SEGMENTATION, self._load_segmentation)
        with torch.inference_mode():
            scores = model(torch.from_numpy(windows)[:, None].to(self.device))
        return scores.exp().float().cpu().numpy()  # type: ignore[no-any-return]

    def embeddings(self, segments: "Sequence[NDArray[np.float32]]") -> "NDArray[np.float32]":
        """Return speaker embeddings (segments, 192) of unit length; held in memory, never stored.

        Each segment is (samples,) at 16 kHz, at least 65 ms.
        """
        import torch

        model = self._once(EMBEDDING, self._load_embedding)
        with torch.inference_mode():
            rows = [model(torch.from_numpy(s)[None, None].to(self.device)) for s in segments]
            vectors = torch.nn.functional.normalize(torch.cat(rows))
        return vectors.float().cpu().numpy()

    def reading_encoder(self, adapter: "Path | None" = None) -> "ReadingEncoder":
        """Return MiniLM with the low-rank adapter in this file merged in; without one, as
        published.

        It computes in bfloat16, in which its adapter was trained, if the CPU supports that in
        hardware.
        """
        key = f"{SENTENCES} for reading, {adapter}"
        return self._once(key, lambda: self._load_reading_encoder(adapter))

    def many_languages_encoder(self, adapter: "Path | None" = None) -> "ManyLanguagesEncoder":
        """Return multilingual-e5-small with the low-rank adapter in this file merged in.

        It computes in bfloat16, in which its adapter was trained, if the CPU supports that in
        hardware.
        """
        key = f"{MANY_LANGUAGES}, {adapter}"
        return self._once(key, lambda: self._load_many_languages_encoder(adapter))

    def _once(self, key: str, load: Callable[[], Loaded]) -> Loaded:
        with self._lock:
            if key not in self._loaded:
                with _without_first_weights():
                    self._loaded[key] = load()
                give_memory_back()  # what was only read on the way, eighty megabytes of E5's file
            loaded: Loaded = self._loaded[key]
            return loaded

    def _load_whisper(self, name: str, precision: str) -> "Whisper":
        path = self.store.genuine_path_of(whisper_name(name))
        stay_home()
        _share_the_cores()
        _import_whisper()
        import torch
        import whisper

        if precision == "int8" and not computes_int8():
            raise ModelError(
                "words.precision: int8 is only for x86 processors; set it to auto or float32"
            )

        # The file's weights, in float16, are read where they lie: no second copy is made of them.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        model = whisper.model.Whisper(whisper.model.ModelDimensions(**checkpoint["dims"]))
        model.load_state_dict(checkpoint["model_state_dict"], assign=True)
        model.set_alignment_heads(whisper._ALIGNMENT_HEADS[name])
        model.eval().requires_grad_(False)
        _in_precision(model, getattr(torch, "float32" if precision == "int8" else precision))
        if precision == "int8":
            in_8_bits(model, but_not=_WITH_OUTLIERS)
        if precision == "bfloat16":
            _attend_in_blocks(model)
            lay_out(model.encoder, MANY_ROWS)
        lay_out(model.decoder, FEW_ROWS, but_not=_OF_SOUND)
        return model.to(self.device)

    def _load_faster_whisper(self, name: str, compute_type: str) -> "BatchedInferencePipeline":
        folder = self.store.genuine_path_of(faster_whisper_name(name)).parent
        stay_home()
        try:
            from faster_whisper import BatchedInferencePipeline, WhisperModel
        except ImportError as e:
            raise ModelError(
                "the faster-whisper engine is not installed: pip install 'warmline[fast]', "
                "or set words.engine to openai-whisper"
            ) from e
        threads = os.environ.get("OMP_NUM_THREADS", "")
        return BatchedInferencePipeline(
            WhisperModel(
                str(folder),
                device=self.device.type,
                compute_type=compute_type,
                cpu_threads=int(threads) if threads.isdigit() else 0,
                local_files_only=True,
            )
        )

    def _load_segmentation(self) -> "torch.nn.Module":
        path = self.store.genuine_path_of(SEGMENTATION)
        stay_home()
        _share_the_cores()
        import torch

        from warmline.speech.networks import Segmentation

        # What pyannote.audio keeps beside the weights is not needed, nor are the classes of it.
        kept = [(_Unread, f"pyannote.audio.core.task.{name}") for name in _TASK_CLASSES]
        with torch.serialization.safe_globals([*kept, torch.torch_version.TorchVersion]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        sizes = checkpoint["hyper_parameters"]
        model = Segmentation(sizes["sincnet"], sizes["lstm"], sizes["linear"])
        model.load_state_dict(checkpoint["state_dict"])
        return model.eval().requires_grad_(False).to(self.device)

    def _load_embedding(self) -> "torch.nn.Module":
        path = self.store.genuine_path_of(EMBEDDING)
        stay_home()
        _share_the_cores()
        make_torchaudio_importable()
        import torch

        from warmline.speech.networks import CamPlusPlusEmbedding

        model = CamPlusPlusEmbedding()
        model.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return model.eval().requires_grad_(False).to(self.device)

    def _load_pyannote_segmentation(self) -> "Model":
        path = self.store.genuine_path_of(SEGMENTATION)
        _prepare_pyannote()
        import torch
        from pyannote.audio.core.task import Problem, Resolution, Specifications
        from pyannote.audio.models.segmentation import PyanNet

        # pyannote.audio itself would unpickle whatever the file names, and so run code in it.
        plain: list[Any] = [Problem, Resolution, Specifications, torch.torch_version.TorchVersion]
        with torch.serialization.safe_globals(plain):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        model = PyanNet(**checkpoint["hyper_parameters"])
        model.on_load_checkpoint(checkpoint)
        model.load_state_dict(checkpoint["state_dict"])
        return model.eval().requires_grad_(False).to(self.device)

    def _load_pyannote_embedding(self) -> "Model":
        network = self._load_embedding()
        _prepare_pyannote()
        import torch
        from pyannote.audio import Model

        from warmline.speech.networks import DIMENSION, SAMPLE_RATE_HZ

        class ForPipelines(Model):
            """CAM++ in the form that pyannote.audio's pipelines expect."""

            dimension = DIMENSION

            def __init__(self) -> None:
                super().__init__(sample_rate=SAMPLE_RATE_HZ, num_channels=1)
                self.network = network

            def forward(  # type: ignore[override]  # as pyannote's own embeddings do
                self, waveforms: torch.Tensor, weights: torch.Tensor | None = None
            ) -> torch.Tensor:
                embeddings: torch.Tensor = self.network(waveforms, weights)
                return embeddings

        return ForPipelines().eval().requires_grad_(False).to(self.device)

    def _load_reading_encoder(self, adapter: "Path | None") -> "ReadingEncoder":
        weights, tokenizer, config = (
            self.store.genuine_path_of(SENTENCES, name)
            for name in ("model.safetensors", "tokenizer.json", "config.json")
        )
        _share_the_cores()
        from warmline.language.encoders import ReadingEncoder

        number = self._reading_number()
        reader = ReadingEncoder(weights, tokenizer, config, adapter, self.device, number)
        self._lay_out_for_reading(reader.network)
        return reader

    def _load_many_languages_encoder(self, adapter: "Path | None") -> "ManyLanguagesEncoder":
        file = self.store.path_of(MANY_LANGUAGES, "e5-small-q4.bin")
        _share_the_cores()
        from warmline.language.e5 import ManyLanguagesEncoder

        reader = ManyLanguagesEncoder(file, adapter, self.device, self._reading_number())
        self._lay_out_for_reading(reader.network)
        return reader

    def _lay_out_for_reading(self, network: "torch.nn.Module") -> None:
        import torch

        if self._reading_number() == torch.bfloat16:  # in float32 there is nothing to gain
            lay_out(network, MANY_ROWS)

    def _reading_number(self) -> "torch.dtype":
        """Return the number format in which texts are read on this machine."""
        import torch

        short = self.device.type == "cpu" and self.computes_bfloat16
        return torch.bfloat16 if short else torch.float32


def _without_first_weights() -> AbstractContextManager[object]:
    """Return a context in which a new network's weights are not drawn at random.

    Every network here has its weights read from a file right after, each of them or none; drawing
    them took half of the time to load it.
    """
    from torch.overrides import TorchFunctionMode

    class Skip(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, _types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            given = kwargs or {}
            if getattr(function, "__module__", None) == "torch.nn.init":
                return given["tensor"] if "tensor" in given else args[0]
            return function(*args, **given)

    return Skip()


def import_libraries() -> None:
    """Import the libraries of all networks that listen. Raises ImportError without the `listen`
    extra.
    """
    stay_home()
    _share_the_cores()
    make_torchaudio_importable()
    for name in ("torchaudio.compliance.kaldi", "asteroid_filterbanks"):
        importlib.import_module(name)
    _import_whisper()


def _import_whisper() -> None:
    """Import openai-whisper, whose alignment is compiled once and then read from numba's cache.

    Otherwise every process compiles it anew, which takes two seconds.
    """
    timing = importlib.import_module("whisper.timing")
    for compiled in (timing.backtrace, timing.dtw_cpu):
        compiled.enable_caching()


def _prepare_pyannote() -> None:
    """Import pyannote.audio so that it stays silent and offline, and works without CUDA."""
    stay_home()
    _share_the_cores()
    make_torchaudio_importable()
    with warnings.catch_warnings():
        # warmline passes waveforms in memory, so torchcodec is not used, broken or not.
        warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly")
        importlib.import_module("pyannote.audio")


def _share_the_cores() -> None:
    """Apply OMP_NUM_THREADS, in whatever order the OpenMP libraries were loaded.

    A library loaded before the variable was set would start one thread per core; processes side by
    side then wait for each other's threads at every small product.
    """
    import torch

    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit() and int(threads) > 0:
        torch.set_num_threads(int(threads))


def stay_home() -> None:
    """Switch off telemetry and downloads of packages, before any of them is imported."""
    os.environ.update(_STAY_HOME)
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _KERNELS_KEPT)
    os.environ.setdefault("LRU_CACHE_CAPACITY", _SHAPES_KEPT)
    wait_passively()


def _in_precision(model: "Whisper", dtype: "torch.dtype") -> None:
    """Convert those weights to `dtype` that Whisper would cast at every call, all else to float32.

    Its layer norms compute in float32 and keep their weights so.
    """
    import torch

    for module in model.modules():
        is_cast = isinstance(module, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Embedding))
        own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
        for tensor in own:
            if tensor.is_floating_point():
                tensor.data = tensor.data.to(dtype if is_cast else torch.float32)


_QUERIES_AT_ONCE = 500  # their scores fit into a core's cache


def _attend_in_blocks(model: "Whisper") -> None:
    """Have a model's attention to itself computed in a way that is quick in bfloat16 on a CPU.

    torch's own takes a third more for 30 s of sound. It stays in use where some of what is attended
    to is hidden.
    """
    for part in (model.encoder, model.decoder):
        for block in part.blocks:
            attention = block.attn
            attention.qkv_attention = partial(_bfloat16_attention, attention)


def _bfloat16_attention(
    attention: "MultiHeadAttention",
    q: "torch.Tensor",
    k: "torch.Tensor",
    v: "torch.Tensor",
    mask: "torch.Tensor | None" = None,
) -> "tuple[torch.Tensor, None]":
    """Return the attention of queries to keys, (batch, tokens, states) each."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    by_head = (x.reshape(*x.shape[:2], attention.n_head, -1) for x in (q, k, v))
    q, k, v = by_head
    scale = q.shape[-1] ** -0.5
    q, k, v = (x.transpose(1, 2).contiguous() for x in (q, k, v))
    if mask is not None:
        heard = scaled_dot_product_attention(q, k, v, is_causal=True)
        return heard.transpose(1, 2).flatten(-2), None
    heard = torch.empty_like(q)
    for own in np.ndindex(*q.shape[:2]):
        keys = k[own].T
        for at in range(0, q.shape[2], _QUERIES_AT_ONCE):
            block = slice(at, at + _QUERIES_AT_ONCE)
            weights = ((q[own][block] * scale) @ keys).softmax(-1)
            torch.matmul(weights, v[own], out=heard[own][block])
    return heard.transpose(1, 2).flatten(-2), None


_OF_SOUND = ("cross_attn.key", "cross_attn.value")  # which multiply thousands of rows
# The input of the second layer of each feed-forward block has outliers that leave no room in 8 bits
# for the rest.
_WITH_OUTLIERS = ("mlp.2",)
