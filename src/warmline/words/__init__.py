"""Transcription: words with times on the call's clock, assigned to the parties who said them.

The words of several calls are recognised together: a recogniser reads its weights once for a batch,
and the few windows of one short call leave most of that unused.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from time import perf_counter
from typing import NamedTuple

from warmline.errors import WarmlineError
from warmline.models.engines import Engines
from warmline.processes import ProgressCallback, no_progress
from warmline.recordings.sound import Sound
from warmline.settings import WordSettings
from warmline.values import (
    ChannelLayout,
    SpeakerSource,
    Speech,
    SpeechSegment,
    Transcript,
    Utterance,
    Word,
)
from warmline.words.recognisers import (
    Clip,
    FasterWhisper,
    OpenAIWhisper,
    Recognised,
    Recogniser,
    Recognition,
    Request,
    recognise_each,
)
from warmline.words.windows import (
    Decoded,
    Retry,
    Window,
    choose_decoding,
    keep_or_retry,
    pack,
)


@dataclass(frozen=True, eq=False)
class SpeechToTranscribe:
    """One call's sound and where speech is in it.

    `language` (ISO code) is the one that the call is known to be in; `auto` has it detected over
    the whole call, None takes that of the settings. `progress` hears how far the call has come.
    """

    sound: Sound
    layout: ChannelLayout
    speech: Speech
    language: str | None = None
    progress: ProgressCallback = no_progress


class Transcribed(NamedTuple):
    """A call's transcript, and its share of the seconds that the whole batch took."""

    transcript: Transcript
    seconds: float


def transcribe(
    calls: Sequence[SpeechToTranscribe], settings: WordSettings, engines: Engines
) -> list[Transcribed | Exception]:
    """Return what was said in each call, by whom and when, or the exception that it ran into.

    Only speech reaches the recogniser, each party's by itself where it has a channel. Windows of
    all calls are recognised together, and so are those that need a second decoding. Weights are
    loaded when there is something to recognise. Raises `WarmlineError` for what would befall every
    call, such as a missing model.
    """
    drafts: list[_Draft | Exception] = [_Draft(call) for call in calls]
    drafts = [_attempt(_pack, draft, settings) for draft in drafts]
    drafts = _recognise(drafts, settings, engines)
    drafts = [_attempt(_filter, draft, settings) for draft in drafts]
    drafts = _recognise(drafts, settings, engines)
    drafts = [_attempt(_finish, draft, settings) for draft in drafts]
    return [
        draft if isinstance(draft, Exception) else Transcribed(draft.transcript, draft.seconds)
        for draft in drafts
    ]


def recogniser(settings: WordSettings, engines: Engines) -> Recogniser:
    """Return the engine that the settings name, its weights loaded."""
    if settings.engine == "faster-whisper":
        return FasterWhisper(engines, settings)
    return OpenAIWhisper(engines, settings)


@dataclass(frozen=True, eq=False)
class _Draft:
    """The state of a call's words so far.

    `request` is what the recogniser is to be asked next, and `answers` holds what it answered:
    first on `windows`, then on the parts of `retries`. `kept` are the decodings that stand.
    """

    call: SpeechToTranscribe
    windows: Sequence[Window] = ()
    request: Request | None = None
    answers: tuple[Recognition, ...] = ()
    kept: tuple[Decoded, ...] = ()
    retries: tuple[Retry, ...] = ()
    transcript: Transcript = field(default_factory=lambda: Transcript(None, None, (), (), {}))
    seconds: float = 0.0


def _attempt(
    step: Callable[[_Draft, WordSettings], _Draft],
    draft: _Draft | Exception,
    settings: WordSettings,
) -> _Draft | Exception:
    """Take a draft a step further; a fault is that of its call alone, and takes its place."""
    if isinstance(draft, Exception):
        return draft
    started = perf_counter()
    try:
        further = step(draft, settings)
    except WarmlineError:
        raise
    except Exception as e:
        return e
    return replace(further, seconds=draft.seconds + perf_counter() - started)


def _recognise(
    drafts: Sequence[_Draft | Exception], settings: WordSettings, engines: Engines
) -> list[_Draft | Exception]:
    """Have the requests of all drafts answered together."""
    after = list(drafts)
    asking = [
        (place, draft, draft.request)
        for place, draft in enumerate(drafts)
        if isinstance(draft, _Draft) and draft.request
    ]
    if not asking:
        return after
    answers = recognise_each([request for *_, request in asking], recogniser(settings, engines))
    for (place, draft, _), answer in zip(asking, answers, strict=True):
        if isinstance(answer, Exception):
            after[place] = answer
            continue
        after[place] = replace(
            draft,
            request=None,
            answers=(*draft.answers, answer),
            seconds=draft.seconds + answer.seconds,
        )
    return after


def _pack(draft: _Draft, settings: WordSettings) -> _Draft:
    """Pack a call's speech into windows, which are to be recognised."""
    call = draft.call
    windows = _windows(call.sound, call.layout, call.speech)
    if not windows:
        return draft
    wanted = call.language or settings.language
    language = None if wanted == "auto" else wanted
    request = Request(_clips(windows, call.sound), language, call.progress)
    return replace(draft, windows=windows, request=request)


def _filter(draft: _Draft, settings: WordSettings) -> _Draft:
    """Keep the decodings that may stand; the other windows are to be decoded again."""
    if not draft.answers:
        return draft
    (first,) = draft.answers
    kept, retries = keep_or_retry(draft.windows, first.results, settings)
    parts = [part for retry in retries for part in retry.parts]
    request = Request(_clips(parts, draft.call.sound), first.language) if parts else None
    return replace(draft, kept=tuple(kept), retries=tuple(retries), request=request)


def _finish(draft: _Draft, settings: WordSettings) -> _Draft:
    """Make a transcript of the decodings that stand."""
    if not draft.answers:
        return draft
    first, *second = draft.answers
    kept, dropped = list(draft.kept), Counter[str]()
    results = iter(second[0].results if second else ())
    for retry in draft.retries:
        stands, lost = choose_decoding(retry, list(islice(results, len(retry.parts))), settings)
        kept += stands
        dropped += lost
    transcript = _assemble(
        kept, draft.call.speech, first.language, first.probability, dict(dropped)
    )
    return replace(draft, transcript=transcript)


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


# From recognised windows to a transcript: words on the call's clock, each assigned to a party.


_PAUSE_S = 0.3
_UTTERANCE_PAUSE_S = 1.0
_EVERYBODY = ""  # the party of a word on a shared channel, until it is assigned to one


def _assemble(
    decoded: Sequence[tuple[Window, Recognised]],
    speech: Speech,
    language: str,
    probability: float | None,
    dropped: Mapping[str, int],
) -> Transcript:
    """Return the transcript of a call from the windows whose text stands.

    `probability` is that of a detected language, `dropped` counts the words that each guard
    refused.
    """
    heard = sorted(
        ((word, result) for window, result in decoded for word in _on_the_clock(window, result)),
        key=lambda pair: (pair[0].start_s, pair[0].end_s),
    )
    words = tuple(word for word, _ in heard)
    if speech.source is not SpeakerSource.CHANNEL:
        words = assign_words(words, speech.exclusive)
    utterances = _utterances(words, [result for _, result in heard])
    return Transcript(language, probability, words, utterances, dict(dropped))


def assign_words(words: Sequence[Word], exclusive: Sequence[SpeechSegment]) -> tuple[Word, ...]:
    """Assign each word to the party that speaks most during it, or nearest to it.

    The edges are then read as a listener would: a single word that flips to another party without
    a pause before it, and with a pause after it, ends the phrase it was said with (and the same at
    a phrase's beginning).
    """
    given = [replace(w, party=_speaker(w, exclusive)) for w in words]
    settled = list(given)
    for i in range(1, len(given) - 1):
        before, word, after = settled[i - 1], given[i], given[i + 1]
        if before.party == word.party or after.party == word.party == before.party:
            continue
        joined_left = word.start_s - before.end_s < _PAUSE_S
        joined_right = after.start_s - word.end_s < _PAUSE_S
        if joined_left and not joined_right:
            settled[i] = replace(word, party=before.party)
    for i in range(len(settled) - 2, 0, -1):
        before, word, after = settled[i - 1], settled[i], settled[i + 1]
        joined_left = word.start_s - before.end_s < _PAUSE_S
        joined_right = after.start_s - word.end_s < _PAUSE_S
        if word.party != after.party and joined_right and not joined_left:
            settled[i] = replace(word, party=after.party)
    return tuple(settled)


def _speaker(word: Word, exclusive: Sequence[SpeechSegment]) -> str:
    def near(segment: SpeechSegment) -> tuple[float, float]:
        overlap = min(word.end_s, segment.end_s) - max(word.start_s, segment.start_s)
        return (max(overlap, 0.0), overlap)

    return max(exclusive, key=near).party


def _on_the_clock(window: Window, result: Recognised) -> Iterator[Word]:
    for timed in result.words:
        span = window.on_the_clock(timed.start_s, timed.end_s)
        party = window.party or _EVERYBODY
        yield Word(span.start_s, span.end_s, party, timed.text, timed.probability)


def _utterances(words: Sequence[Word], sources: Sequence[Recognised]) -> tuple[Utterance, ...]:
    """Join a party's words from one window, up to a pause, with the recogniser's doubts of them."""
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
