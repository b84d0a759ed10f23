"""Recognised windows become a transcript: words on the call's clock, each assigned to a party."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from warmline.values import SpeakerSource, Speech, SpeechSegment, Transcript, Utterance, Word
from warmline.words.recogniser import Recognised
from warmline.words.windows import Window

_PAUSE_S = 0.3
_UTTERANCE_PAUSE_S = 1.0
_EVERYBODY = ""  # the party of a word on a shared channel, until it is assigned to one


def assemble(
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
