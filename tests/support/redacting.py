"""Transcripts as text in turns, for the tests of redaction."""

import re
from collections.abc import Iterable

from warmline.values import Transcript, Utterance, Word


def said_in_turns(text: str, language: str | None = "en") -> Transcript:
    """Words 0.35 s apart; ` / ` gives the turn to the other, half a second later."""
    words: list[Word] = []
    at_s, party = 0.0, "A"
    for part in re.split(r"(?:^| )/ ", text):
        for word in part.split():
            words.append(Word(at_s, at_s + 0.3, party, word, 0.9))
            at_s += 0.35
        at_s += 0.5
        party = "B" if party == "A" else "A"
    return Transcript(language, 1.0, tuple(words), utterances_of(words), {})


def utterances_of(words: Iterable[Word]) -> tuple[Utterance, ...]:
    runs_: list[list[Word]] = []
    for word in words:
        if not runs_ or runs_[-1][-1].party != word.party:
            runs_.append([])
        runs_[-1].append(word)
    return tuple(
        Utterance(
            w[0].start_s, w[-1].end_s, w[0].party, " ".join(x.text for x in w), -0.2, 0.01, 1.1
        )
        for w in runs_
    )


def as_turns(transcript: Transcript) -> str:
    text, party = [], "A"
    for word in transcript.words:
        while word.party != party:
            text.append("/")
            party = "B" if party == "A" else "A"
        text.append(word.text)
    return " ".join(text)
