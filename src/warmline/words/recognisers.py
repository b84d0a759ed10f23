"""What a recogniser is asked for, and the two that answer: openai-whisper and faster-whisper.

A fault stays with its call, whichever recogniser it is.

With openai-whisper, Whisper's own parts do the work (`DecodingTask`, `find_alignment`); what is
added is that many windows are decoded at once, that a window is encoded once, a short one without
most of the silence that fills it up to 30 s, that windows of like length share a batch, beams
included, and that words are timed by what was attended to. (Tried: letting the decoder attend to
none of the silence saves nothing and makes it loop; to 3 s of it, WER is 0.106 in place of 0.099.
In 8 bits, encoder and decoder take up to a fifth less time than in float32, nothing where the cores
are busy, and more words are misheard. Of five beams, those less likely than the best by 5 or 3 nats
could go, but there are hardly any, nor are there if of texts with the same words only the likeliest
goes on; by 2 nats there are, and words are lost. In float32, keys and values of the sound that are
kept in float16 save 2 %. Decoding greedily first saves little, since about half of the
windows are then unsure and need beams all the same. Windows that hold both channels of a call in
the order of time are hardly fewer, and hardly better heard. A text cannot be given up before its
end: what counts is its mean log-probability, which can rise with each token.)

faster-whisper has the same weights in CTranslate2's own arithmetic. Its batched pipeline takes one
long sound and the segments to read, so the windows are laid one after the other, each in a slot of
its own.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from warmline.errors import WarmlineError
from warmline.processes import ProgressCallback, no_progress
from warmline.recordings.sound import SAMPLE_RATE_HZ
from warmline.settings import WordSettings
from warmline.words.vocabulary import Bias, read_terms

if TYPE_CHECKING:
    import torch
    from whisper.model import ModelDimensions, Whisper

    from warmline.models.engines import Engines
    from warmline.words.decoding import Reading


@dataclass(frozen=True)
class TimedWord:
    """A word with its start and end in the window, seconds."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Recognised:
    """The words recognised in one window, and the recogniser's own doubts about it."""

    text: str
    words: tuple[TimedWord, ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


@dataclass(frozen=True, eq=False)
class Clip:
    """At most 30 s of sound: `size` samples at 16 kHz, float32, made when they are read.

    The clips of three hours are not in memory at once.
    """

    size: int
    read: Callable[[], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Request:
    """Windows of one call to recognise.

    `language` None has it detected over all of them; `progress` hears how far it has come.
    """

    windows: Sequence[Clip]
    language: str | None = None
    progress: ProgressCallback = no_progress

    @property
    def samples(self) -> int:
        """Return how many samples all windows have together."""
        return sum(window.size for window in self.windows)


@dataclass(frozen=True)
class Recognition:
    """The words recognised in windows, in their order; `probability` None for a given language.

    `seconds` is the request's share, by length, of the time that it and those beside it took.
    """

    language: str
    probability: float | None
    results: tuple[Recognised, ...]
    seconds: float = 0.0


class Recogniser(Protocol):
    """An engine that turns windows of sound into words, for several calls at once."""

    def recognise(self, requests: Sequence[Request]) -> list[Recognition]:
        """Return an answer to each request; windows of different calls may share a batch."""


def recognise_each(
    requests: Sequence[Request], recogniser: Recogniser
) -> list[Recognition | Exception]:
    """Return the answer to each request, or the exception that it ran into.

    All are recognised together. When that fails, each is tried alone, since nobody can tell whose
    window it was. Raises `WarmlineError`, which would befall every call.
    """
    started = perf_counter()
    try:
        answers = recogniser.recognise(requests)
    except WarmlineError:
        raise
    except Exception as e:
        if len(requests) == 1:
            return [e]
        return [answer for request in requests for answer in recognise_each([request], recogniser)]
    seconds = perf_counter() - started
    whole = sum(request.samples for request in requests)
    return [
        replace(answer, seconds=seconds * request.samples / whole)
        for request, answer in zip(requests, answers, strict=True)
    ]


# openai-whisper.


_Place = tuple[int, int]  # of a window: number of its request, number in it

_FEATURES_PER_S = 50
_TAIL_S = 0.5
_SHORT_S, _SILENCE_S = 20.0, 6.0  # with 3 s of silence, ends of what is said are lost
_FEWEST_TOKENS = 20
_TOKENS_PER_S = 8.0  # twice what fast speech takes
_LANGUAGE_WINDOWS = 12
_WITHOUT_SPACES = frozenset({"zh", "ja", "th", "lo", "my", "yue"})  # as in Whisper's tokenizer
_TOGETHER_ON_A_CPU, _MOST_TOGETHER = 8, 128  # windows
# What is kept of the sound of a batch grows with its length: eight windows of 30 s take 300 MB.
_LONGEST_ON_A_CPU_S = 160.0
_MOST_FROM_A_TERM = 4.0  # tokens: what a long term adds has a bound
_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"


def window_bytes(
    dims: "ModelDimensions", beams: int, alignment_heads: int, tokens: int, value_bytes: int
) -> int:
    """Return what decoding a window takes beside the weights, for each window of a batch.

    These are its features, the keys and values of the sound in every layer (of one layer twice,
    while they are laid out), those of the text of each beam (twice, if all beams change places),
    what the alignment heads attended to, and the scores of the next token, three times over.
    """
    frames, width, layers = dims.n_audio_ctx, dims.n_text_state, dims.n_text_layer
    sound: int = frames * width * (1 + 2 * layers + 2) * value_bytes
    text: int = 2 * 2 * layers * beams * tokens * width * value_bytes
    attended: int = beams * tokens * alignment_heads * frames * 2
    scores: int = 3 * 4 * beams * dims.n_vocab
    return sound + text + attended + scores


def windows_that_fit(model: "Whisper", beams: int, free_bytes: int) -> int:
    """Return how many windows are decoded together in so much free memory: 1 to 128.

    A fifth of it is left to what the libraries need themselves.
    """
    value_bytes = model.encoder.conv1.weight.element_size()
    heads: int = model.alignment_heads._nnz()
    longest = model.dims.n_text_ctx // 2
    each = window_bytes(model.dims, beams, heads, longest, value_bytes)
    return max(1, min(_MOST_TOGETHER, int(0.8 * free_bytes) // each))


class OpenAIWhisper:
    """A `Recogniser` on an openai-whisper model."""

    def __init__(self, engines: "Engines", settings: WordSettings) -> None:
        self._model: Whisper = engines.whisper(
            settings.whisper_model, _precision(settings, engines)
        )
        self._beam_size = settings.beam_size
        self._batch_size = settings.batch_size or self._fitting()
        self._terms = read_terms(settings.vocabulary)
        self._term_weight = settings.vocabulary_weight

    def _fitting(self) -> int:
        """How many windows are decoded together where the settings leave it open."""
        import torch

        if self._model.device.type != "cuda":
            return _TOGETHER_ON_A_CPU
        free_bytes, _ = torch.cuda.mem_get_info(self._model.device)
        return windows_that_fit(self._model, self._beam_size, free_bytes)

    @cached_property
    def _bias(self) -> Bias | None:
        """Return what the terms of the vocabulary add to a text; None without one."""
        if not self._terms:
            return None
        from whisper.tokenizer import get_tokenizer

        model = self._model
        tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
        texts = [tokenizer.decode([token]) for token in range(model.dims.n_vocab)]
        bound = _MOST_FROM_A_TERM * self._term_weight
        return Bias(self._terms, tokenizer, texts, self._term_weight, bound)

    def recognise(self, requests: Sequence[Request]) -> list[Recognition]:
        """Return the words of each window; windows of similar length are decoded together.

        A language is detected from up to 12 windows spread over a call, as the highest mean.
        """
        encoded: dict[_Place, torch.Tensor] = {}
        spoken = [self._language(i, request, encoded) for i, request in enumerate(requests)]
        results: dict[_Place, Recognised] = {}
        for language in dict.fromkeys(language for language, _ in spoken):
            alike = {i: r for i, r in enumerate(requests) if spoken[i][0] == language}
            results |= self._recognise(alike, language, encoded)
        return [
            Recognition(
                language, probability, tuple(results[i, j] for j in range(len(requests[i].windows)))
            )
            for i, (language, probability) in enumerate(spoken)
        ]

    def _recognise(
        self, requests: Mapping[int, Request], language: str, encoded: "dict[_Place, torch.Tensor]"
    ) -> dict[_Place, Recognised]:
        waiting = {(i, j): w for i, r in requests.items() for j, w in enumerate(r.windows)}
        results: dict[_Place, Recognised] = {}
        for batch in self._alike(waiting):
            for request in requests.values():
                request.progress(len(results) / len(waiting))
            features = [
                encoded.pop(place) if place in encoded else self._encode(waiting[place])
                for place in batch
            ]
            durations_s = [waiting[place].size / SAMPLE_RATE_HZ for place in batch]
            results |= zip(batch, self._decode(features, durations_s, language), strict=True)
        return results

    def _alike(self, waiting: "Mapping[_Place, Clip]") -> Iterator[Sequence[_Place]]:
        """Yield the windows in batches of like length, on a CPU the fewer the longer they are."""
        on_a_cpu = self._model.device.type != "cuda"
        most_s = _LONGEST_ON_A_CPU_S if on_a_cpu else math.inf
        batch: list[_Place] = []
        together_s = 0.0
        for place in sorted(waiting, key=lambda place: waiting[place].size):
            size_s = waiting[place].size / SAMPLE_RATE_HZ
            if batch and (len(batch) == self._batch_size or together_s + size_s > most_s):
                yield batch
                batch, together_s = [], 0.0
            batch.append(place)
            together_s += size_s
        if batch:
            yield batch

    def _language(
        self, number: int, request: Request, encoded: "dict[_Place, torch.Tensor]"
    ) -> tuple[str, float | None]:
        if request.language is not None:
            return request.language, None
        return self._detect_language(number, request, encoded)

    def _detect_language(
        self, number: int, request: Request, encoded: "dict[_Place, torch.Tensor]"
    ) -> tuple[str, float]:
        if not self._model.is_multilingual:
            return "en", 1.0
        import torch

        from warmline.words.decoding import language_probabilities

        last = len(request.windows) - 1
        spread = np.unique(np.linspace(0, last, _LANGUAGE_WINDOWS).round().astype(int))
        places = [(number, j) for j in spread.tolist()]
        total: Counter[str] = Counter()
        for batch in _batches(places, self._batch_size):
            features = [self._encode(request.windows[j]) for _, j in batch]
            encoded |= zip(batch, features, strict=True)
            with torch.inference_mode():
                for feature in features:
                    total.update(language_probabilities(self._model, feature))
        (best, sum_), *_ = total.most_common(1)
        return best, sum_ / len(places)

    def _encode(self, clip: Clip) -> "torch.Tensor":
        """Return the features of a window, (frames, states): of its sound and a silence after it.

        Whisper was trained on 30 s whatever is in them, and each second costs time. It makes no
        more errors where a short window is followed by less silence; where a window is long there
        is little to save, and it has the 30 s.
        """
        import torch
        import whisper

        from warmline.words.decoding import encode

        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(clip.read()), self._model.dims.n_mels)
        frames = self._model.dims.n_audio_ctx
        if clip.size <= _SHORT_S * SAMPLE_RATE_HZ:
            frames = math.ceil((clip.size / SAMPLE_RATE_HZ + _SILENCE_S) * _FEATURES_PER_S)
        with torch.inference_mode():
            heard = mel[None, :, : 2 * frames].to(self._model.device, self._dtype)
            return encode(self._model, heard)[0].to(self._dtype)

    @property
    def _dtype(self) -> "torch.dtype":
        # LayerNorms stay float32, and so does everything of a model quantised to int8.
        dtype: torch.dtype = self._model.encoder.conv1.weight.dtype
        return dtype

    def _decode(
        self, features: "Sequence[torch.Tensor]", durations_s: Sequence[float], language: str
    ) -> Iterator[Recognised]:
        import torch
        import whisper

        from warmline.words.decoding import decode

        options = whisper.DecodingOptions(
            language=language,
            without_timestamps=True,
            beam_size=self._beam_size if self._beam_size > 1 or self._bias else None,
            fp16=self._dtype == torch.float16,
            # A loop would else run to the end of the decoder's memory.
            sample_len=min(
                self._model.dims.n_text_ctx // 2,
                round(_FEWEST_TOKENS + _TOKENS_PER_S * max(durations_s)),
            ),
        )
        with torch.inference_mode():
            readings = decode(self._model, features, options, self._bias)
        for feature, reading, duration_s in zip(features, readings, durations_s, strict=True):
            result = reading.result
            yield Recognised(
                result.text,
                self._align(feature, reading, duration_s),
                result.avg_logprob,
                result.no_speech_prob,
                result.compression_ratio,
            )

    def _align(
        self, features: "torch.Tensor", reading: "Reading", duration_s: float
    ) -> tuple[TimedWord, ...]:
        from whisper.timing import find_alignment, merge_punctuations
        from whisper.tokenizer import get_tokenizer

        from warmline.words.decoding import align

        tokenizer = get_tokenizer(
            self._model.is_multilingual,
            num_languages=self._model.num_languages,
            language=reading.result.language,
            task="transcribe",
        )
        frames = min(features.shape[0], round((duration_s + _TAIL_S) * _FEATURES_PER_S))
        if reading.attention is None:
            tokens = [t for t in reading.result.tokens if t < tokenizer.eot]
            encoded = _Encoded(self._model, features)
            alignment = find_alignment(encoded, tokenizer, tokens, features, 2 * frames)
        else:
            alignment = align(reading, tokenizer, frames)
        merge_punctuations(alignment, _PREPENDED, _APPENDED)
        return _whole_words(alignment, spaced=reading.result.language not in _WITHOUT_SPACES)


def _whole_words(alignment: Sequence[Any], spaced: bool) -> tuple[TimedWord, ...]:
    """Return words as they are written: "ma" + "'am" and "in" + "-house" are one each."""
    words: list[TimedWord] = []
    for part in alignment:
        text = part.word.strip()
        if not text:
            continue
        if spaced and words and not part.word.startswith(" "):
            last = words.pop()
            probability = min(last.probability, float(part.probability))
            words.append(TimedWord(last.text + text, last.start_s, float(part.end), probability))
        else:
            words.append(
                TimedWord(text, float(part.start), float(part.end), float(part.probability))
            )
    return tuple(words)


class _Encoded:
    """Stands for a Whisper model in `find_alignment`: the sound is encoded already."""

    def __init__(self, model: "Whisper", features: "torch.Tensor") -> None:
        self.dims = model.dims
        self.device = model.device
        self.decoder = model.decoder
        self.alignment_heads = model.alignment_heads
        self._features = features

    def __call__(self, _mel: "torch.Tensor", tokens: "torch.Tensor") -> "torch.Tensor":
        logits: torch.Tensor = self.decoder(tokens, self._features[None])
        return logits.float()


def _precision(settings: WordSettings, engines: "Engines") -> str:
    if settings.precision == "auto":
        return "bfloat16" if engines.computes_bfloat16 else "float32"
    return settings.precision


def _batches(items: Sequence[_Place], size: int) -> Iterator[Sequence[_Place]]:
    for i in range(0, len(items), size):
        yield items[i : i + size]


# faster-whisper.


_SLOT_S = 30
_AT_ONCE = 64  # windows; the pipeline keeps the features of all that it is given
_COMPUTE_TYPES = {"auto": "default", "float32": "float32", "bfloat16": "bfloat16", "int8": "int8"}


class FasterWhisper:
    """A `Recogniser` on faster-whisper's batched pipeline, with its own beam search."""

    def __init__(self, engines: "Engines", settings: WordSettings) -> None:
        precision = settings.precision
        compute_type = "int8" if precision == "auto" and engines.device.type == "cpu" else precision
        self._pipeline = engines.faster_whisper(
            settings.whisper_model, _COMPUTE_TYPES[compute_type]
        )
        self._batch_size = settings.batch_size or _TOGETHER_ON_A_CPU
        self._beam_size = settings.beam_size

    def recognise(self, requests: Sequence[Request]) -> list[Recognition]:
        """Return the words of each window; the language is detected from up to 12 windows of a
        call.
        """
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Recognition:
        language, probability = request.language, None
        if language is None:
            language, probability = self._detect_language(request.windows)
        results: list[Recognised] = []
        for first in range(0, len(request.windows), _AT_ONCE):
            request.progress(first / len(request.windows))
            results += self._recognise(request.windows[first : first + _AT_ONCE], language)
        return Recognition(language, probability, tuple(results))

    def _detect_language(self, windows: Sequence[Clip]) -> tuple[str, float]:
        if not self._pipeline.model.model.is_multilingual:
            return "en", 1.0
        spread = np.unique(np.linspace(0, len(windows) - 1, _LANGUAGE_WINDOWS).round().astype(int))
        language, probability, _ = self._pipeline.model.detect_language(
            _in_slots([windows[i] for i in spread]),
            language_detection_segments=len(spread),
            language_detection_threshold=1.0,
        )
        return language, float(probability)

    def _recognise(self, windows: Sequence[Clip], language: str) -> Iterator[Recognised]:
        clips = [
            {"start": float(i * _SLOT_S), "end": i * _SLOT_S + w.size / SAMPLE_RATE_HZ}
            for i, w in enumerate(windows)
        ]
        segments, _ = self._pipeline.transcribe(
            _in_slots(windows),
            language=language,
            clip_timestamps=clips,
            batch_size=self._batch_size,
            beam_size=self._beam_size,
            word_timestamps=True,
            vad_filter=False,
        )
        by_window: defaultdict[int, list[Any]] = defaultdict(list)
        for segment in segments:
            # `seek` is where its clip begins, in frames of 10 ms.
            by_window[segment.seek // (100 * _SLOT_S)].append(segment)
        return (_recognised(by_window[i], i * _SLOT_S) for i in range(len(windows)))


def _in_slots(windows: Sequence[Clip]) -> NDArray[np.float32]:
    slots = np.zeros((len(windows), _SLOT_S * SAMPLE_RATE_HZ), np.float32)
    for slot, window in zip(slots, windows, strict=True):
        slot[: window.size] = window.read()
    return slots.reshape(-1)


def _recognised(segments: Sequence[Any], from_s: float) -> Recognised:
    """Return one window's text; its confidence is that of the least certain of its segments."""
    words = tuple(
        TimedWord(w.word.strip(), w.start - from_s, w.end - from_s, w.probability)
        for segment in segments
        for w in segment.words or ()
        if w.word.strip()
    )
    return Recognised(
        " ".join(w.text for w in words),
        words,
        min((s.avg_logprob for s in segments), default=0.0),
        max((s.no_speech_prob for s in segments), default=0.0),
        max((s.compression_ratio for s in segments), default=0.0),
    )
