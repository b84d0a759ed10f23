"""Puts placeholders where something private was said."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from warmline.redaction.addresses import find_addresses
from warmline.redaction.book import book
from warmline.redaction.emails import find_emails
from warmline.redaction.heard import Known, said_by_all
from warmline.redaction.numbers import find_values
from warmline.redaction.people import find_names, find_passwords
from warmline.settings import RedactionSettings
from warmline.values import Redaction, Transcript, Utterance, Word

# A longer pause, or a word of somebody else, ends a stretch.
_PAUSE_S = 1.0
_MARKS = ".?!,;:"
# What wins where two finders want the same word.
_FINDERS = (find_emails, find_addresses, find_values, find_passwords, find_names)

# A kind, and which of its values.
_Owner = tuple[str, int]


def redact(
    transcript: Transcript, settings: RedactionSettings
) -> tuple[Transcript, tuple[Redaction, ...]]:
    """Return the transcript without what is private, and where that was.

    The rules are those of the transcript's language, else the English ones.
    Each stretch of hidden words of a party becomes one word (`[card]`) with the time from the first
    to the last of them, the lowest of their probabilities, and the mark that closed them; a pause
    of more than a second, or somebody else's word, begins another stretch. Other words stay as they
    are. What was hidden is not in what is returned, nor how long it was.
    """
    if not settings.enabled:
        return transcript, ()
    rows: list[Redaction] = []
    known: Known = {}
    numbers = count()
    while found := _found(transcript.words, transcript.language, settings, known, numbers):
        stretches = _stretches(transcript.words, found)
        rows += _rows(stretches, transcript.words, found)
        transcript = _without(transcript, stretches, found)
        # What was taken away may have stood between two parts of something else: look once more.
    return transcript, _in_order(rows)


def _found(
    words: Sequence[Word],
    language: str | None,
    settings: RedactionSettings,
    known: Known,
    numbers: Iterator[int],
) -> dict[int, _Owner]:
    """For each word that is to be hidden, by place, its kind and which value it belongs to."""
    said = said_by_all(words, known, book(settings.extra, language))
    chosen = {*settings.kinds, *(kind.id for kind in settings.extra)}
    owners: dict[int, _Owner] = {}
    values: dict[tuple[int, str, int], int] = {}
    for number, find in enumerate(_FINDERS):
        for finding in find(said):
            if finding.kind not in chosen:
                continue
            value = values.setdefault((number, finding.kind, finding.value), next(numbers))
            for place in finding.places:
                if said.is_word(place):
                    owners.setdefault(place, (finding.kind, value))
    return owners


def _stretches(words: Sequence[Word], owners: dict[int, _Owner]) -> list[list[int]]:
    """Places of words that become one placeholder."""
    found: list[list[int]] = []
    before: int | None = None
    for place, word in enumerate(words):
        if place not in owners:
            before = None
            continue
        follows = before is not None and (
            words[before].party == word.party
            and owners[before] == owners[place]
            and word.start_s - words[before].end_s <= _PAUSE_S
        )
        if follows:
            found[-1].append(place)
        else:
            found.append([place])
        before = place
    return found


def _without(
    transcript: Transcript, stretches: Sequence[Sequence[int]], owners: dict[int, _Owner]
) -> Transcript:
    words = transcript.words
    placed = {s[0]: _placeholder([words[p] for p in s], owners[s[0]][0]) for s in stretches}
    kept = [
        placed.get(place, word)
        for place, word in enumerate(words)
        if place in placed or place not in owners
    ]
    hidden = [words[place] for place in owners]
    utterances = tuple(_utterance(u, kept, hidden) for u in transcript.utterances)
    return replace(transcript, words=tuple(kept), utterances=utterances)


def _placeholder(said: Sequence[Word], kind: str) -> Word:
    text = said[-1].text.rstrip()
    mark = text[-1] if text[-1:] in _MARKS else ""
    return Word(
        said[0].start_s,
        max(word.end_s for word in said),
        said[0].party,
        f"[{kind}]{mark}",
        min(word.probability for word in said),
    )


def _utterance(utterance: Utterance, words: Sequence[Word], hidden: Sequence[Word]) -> Utterance:
    """The utterance as it reads now, if something in it was hidden."""
    if not any(_is_in(word, utterance) for word in hidden):
        return utterance
    said = [word.text for word in words if _is_in(word, utterance)]
    return replace(utterance, text=" ".join(said))


def _is_in(word: Word, utterance: Utterance) -> bool:
    is_own = word.party == utterance.party
    return is_own and word.start_s <= utterance.end_s and word.end_s >= utterance.start_s


def _rows(
    stretches: Sequence[Sequence[int]], words: Sequence[Word], owners: dict[int, _Owner]
) -> Iterator[Redaction]:
    for stretch in stretches:
        kind, value = owners[stretch[0]]
        end_s = max(words[place].end_s for place in stretch)
        first = words[stretch[0]]
        yield Redaction(first.start_s, end_s, first.party, kind, value)


def _in_order(rows: Sequence[Redaction]) -> tuple[Redaction, ...]:
    """By start, and values numbered as they come."""
    ordered = sorted(rows, key=lambda row: (row.start_s, row.end_s, row.party))
    numbers = {value: n for n, value in enumerate(dict.fromkeys(r.value_index for r in ordered))}
    return tuple(replace(row, value_index=numbers[row.value_index]) for row in ordered)
