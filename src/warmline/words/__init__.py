"""Transcription: words with times on the call's clock, given to the parties who said them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from warmline.engines import Engines
from warmline.progress import ProgressCallback, no_progress
from warmline.recordings.sound import Sound
from warmline.settings import WordSettings
from warmline.values import (
    ChannelLayout,
    SpeakerSource,
    Speech,
    Transcript,
    Utterance,
    Word,
)
from warmline.words.assignment import assign_words
from warmline.words.batching import Asking, together
from warmline.words.faster_whisper import FasterWhisper
from warmline.words.openai_whisper import OpenAIWhisper
from warmline.words.packing import Window, pack
from warmline.words.recogniser import Clip, Recognised, Recogniser, Request
from warmline.words.redecoding import choose_decoding, keep_or_retry

__all__ = ["Asking", "recogniser", "together", "transcription"]

_UTTERANCE_PAUSE_S = 1.0
_EVERYBODY = ""  # the party of a word on a shared channel, until it is given to one


def transcription(
    sound: Sound,
    layout: ChannelLayout,
    speech: Speech,
    settings: WordSettings,
    language: str | None = None,
    progress: ProgressCallback = no_progress,
) -> Asking[Transcript]:
    """What was said, by whom and when, as a dialogue with a recogniser (see `together`).

    `language` (ISO code) overrides the setting; `auto` detects it over the whole call. Only speech
    reaches the recogniser, each party's by itself where it has a channel. `progress` hears
    how far it has come.
    """
    windows = _windows(sound, layout, speech)
    if not windows:
        return Transcript(None, None, (), (), {})
    wanted = language or settings.language
    asked = None if wanted == "auto" else wanted
    first = yield Request(_clips(windows, sound), asked, progress)
    kept, retries = keep_or_retry(windows, first.results, settings)
    dropped: Counter[str] = Counter()
    if retries:
        parts = [part for retry in retries for part in retry.parts]
        second = yield Request(_clips(parts, sound), first.language)
        results = iter(second.results)
        for retry in retries:
            stands, lost = choose_decoding(retry, list(islice(results, len(retry.parts))), settings)
            kept += stands
            dropped += lost
    heard = sorted(
        ((word, result) for window, result in kept for word in _on_the_clock(window, result)),
        key=lambda pair: (pair[0].start_s, pair[0].end_s),
    )
    words = tuple(word for word, _ in heard)
    if speech.source is not SpeakerSource.CHANNEL:
        words = assign_words(words, speech.exclusive)
    sources = [result for _, result in heard]
    return Transcript(
        first.language, first.probability, words, _utterances(words, sources), dict(dropped)
    )


def recogniser(settings: WordSettings, engines: Engines) -> Recogniser:
    """The engine that the settings name, its weights loaded."""
    if settings.engine == "faster-whisper":
        return FasterWhisper(engines, settings)
    return OpenAIWhisper(engines, settings)


def _windows(sound: Sound, layout: ChannelLayout, speech: Speech) -> list[Window]:
    if speech.source is SpeakerSource.CHANNEL and layout.kind == "stereo":
        return [
            window
            for channel, party in enumerate(speech.parties)
            for window in pack(
                [s for s in speech.audible if s.party == party],
                [s for s in speech.segments if s.party == party],
                *(channel, party, sound.duration_s),
            )
        ]
    return pack(speech.audible, speech.exclusive, 0, None, sound.duration_s)


def _clips(windows: Sequence[Window], sound: Sound) -> list[Clip]:
    return [Clip(window.size, partial(window.samples, sound)) for window in windows]


def _on_the_clock(window: Window, result: Recognised) -> Iterator[Word]:
    for timed in result.words:
        span = window.on_the_clock(timed.start_s, timed.end_s)
        party = window.party or _EVERYBODY
        yield Word(span.start_s, span.end_s, party, timed.text, timed.probability)


def _utterances(words: Sequence[Word], sources: Sequence[Recognised]) -> tuple[Utterance, ...]:
    """A party's words from one window, up to a pause, with the recogniser's doubts about them."""
    open_: dict[str, tuple[list[Word], Recognised]] = {}
    closed: list[Utterance] = []
    for word, source in zip(words, sources, strict=True):
        said, result = open_.get(word.party, ([], source))
        if said and (result is not source or word.start_s - said[-1].end_s > _UTTERANCE_PAUSE_S):
            closed.append(_utterance(said, result))
            said = []
        open_[word.party] = ([*said, word], source)
    closed += [_utterance(said, result) for said, result in open_.values()]
    return tuple(sorted(closed, key=lambda u: (u.start_s, u.party)))


def _utterance(words: Sequence[Word], result: Recognised) -> Utterance:
    return Utterance(
        words[0].start_s,
        max(w.end_s for w in words),
        words[0].party,
        " ".join(w.text for w in words),
        result.avg_logprob,
        result.no_speech_prob,
        result.compression_ratio,
    )
