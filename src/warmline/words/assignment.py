"""Gives words to speakers where one channel holds several voices."""

from collections.abc import Sequence
from dataclasses import replace

from warmline.values import SpeechSegment, Word

_PAUSE_S = 0.3


def assign_words(words: Sequence[Word], exclusive: Sequence[SpeechSegment]) -> tuple[Word, ...]:
    """Each word goes to the party that speaks most during it, or nearest to it.

    Then the edges are read as a listener would: a single word that flips to another party without
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
