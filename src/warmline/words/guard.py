"""Refuses text that was not said: loops, inventions over noise, words without sound."""

import re
from collections import Counter

from warmline.settings import WordSettings
from warmline.words.recogniser import Recognised

_LONGEST_PHRASE = 6
_MOST_REPEATS = 5
_FASTEST_WORDS_PER_S = 8.0


def why_refused(result: Recognised, speech_s: float, settings: WordSettings) -> str | None:
    """The guard that refuses a window's text, or None if it may stand.

    `speech_s` is how long the window's speech is. The guards, in order: `loop` (compressed text
    or a phrase said over and over), `too_fast` (more words than can be said), `unintelligible`
    (low log-probability), `no_speech` (the recogniser itself doubts that there is speech, and is
    unsure of its words). Thresholds as in Radford et al. 2023, section 4.5, but for speech that
    voice activity has found already.
    """
    words = re.findall(r"[\w']+", result.text.lower())
    if result.compression_ratio > settings.max_compression_ratio or _loops(words):
        return "loop"
    if len(words) > 3 + _FASTEST_WORDS_PER_S * speech_s:
        return "too_fast"
    if result.avg_logprob < settings.min_avg_logprob:
        return "unintelligible"
    doubtful = result.avg_logprob < settings.min_avg_logprob / 2
    if doubtful and result.no_speech_prob > settings.max_no_speech_prob:
        return "no_speech"
    return None


def _loops(words: list[str]) -> bool:
    """A phrase of one to six words that is repeated at least five times without a break.

    Single words may be said more often ("no no no no no"): for them the bound is doubled.
    """
    for length in range(1, _LONGEST_PHRASE + 1):
        bound = _MOST_REPEATS * (2 if length == 1 else 1)
        runs: Counter[int] = Counter()
        for i in range(length, len(words) - length + 1):
            same = words[i : i + length] == words[i - length : i]
            runs[i] = runs[i - length] + 1 if same else 0
        if runs and max(runs.values()) + 1 >= bound:
            return True
    return False
