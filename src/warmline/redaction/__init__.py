"""Redaction: what is private gives way to a placeholder before anything else reads the words.

Numbers and codes are found by what announced them or by what they are, said, spelled or typed, at
once or in groups, across turns; e-mails by how they are built; passwords, names and addresses by
cautious rules. The rules are data, a file for each language in `languages`: those of the language
that was recognised count, else the English ones. Typed numbers are known in any language.

What people wrote (fields of metadata, notes) passes the rules for spoken words; the name of a field
says what is in it, too.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import count, pairwise

from warmline.redaction.book import Kind, book, kinds, require_readable
from warmline.redaction.emails import find_emails
from warmline.redaction.heard import Known, said_by_all
from warmline.redaction.numbers import find_values
from warmline.redaction.people import find_addresses, find_names, find_passwords
from warmline.settings import RedactionSettings
from warmline.values import Redaction, Transcript, Utterance, Word

__all__ = [
    "Kind",
    "book",
    "kinds",
    "redact",
    "redact_field",
    "redact_text",
    "require_readable",
]

# A longer pause, or a word of somebody else, ends a stretch.
_PAUSE_S = 1.0
_MARKS = ".?!,;:"
# What wins where two finders want the same word.
_FINDERS = (find_emails, find_addresses, find_values, find_passwords, find_names)

#: What a field holds, by a word or two of its name.
_FIELDS = {
    "card": "card pan cardnumber",
    "security_code": "cvv cvv2 cvc cvc2 pin otp",
    "password": "password passcode passwd passphrase",
    "account": "account accountnumber policy iban bban membership",
    "sort_code": "sortcode bsb",
    "social_security": "ssn",
    "national_id": "nino nhs passport taxid nationalid",
    "expiry": "expiry expirydate",
    "swift": "swift bic",
    "vehicle": "vin numberplate registrationplate",
    "birth_date": "dob birth birthday birthdate",
    "phone": "phone telephone tel mobile msisdn ani callerid dnis cellphone fax",
    "email": "email mail",
    "address": "address street zip postcode zipcode",
    "name": "customername callername clientname contactname firstname lastname surname fullname",
}
_KIND_OF = {word: kind for kind, words in _FIELDS.items() for word in words.split()}
#: How many digits a value has at the least to be of a kind; fewer are left to the rules for words.
_LEAST_DIGITS = {
    **dict.fromkeys(("security_code", "account"), 3),
    **dict.fromkeys(("card", "sort_code", "social_security", "birth_date"), 4),
    **dict.fromkeys(("national_id", "expiry"), 3),
    "phone": 5,
}
#: Fields by which tables are joined, times and sizes: values without blanks stay as they are.
_TECHNICAL = re.compile(
    r"(^|_)(id|uuid|guid|key|ref|url|uri|path|file|at|date|day|time|timestamp|ms|s|seconds|bytes|"
    r"version|count|score|nps|csat)$"
)
_SHORTEST = 4  # words without a digit or an @, in which a number may be spelled out
_WORD_S, _STEP_S = 0.25, 0.3

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
    """Return places of words that become one placeholder."""
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
    """Return the utterance as it reads now, if something in it was hidden."""
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


def redact_field(name: str, text: str, settings: RedactionSettings) -> str:
    """Return the value of a metadata field without what is private; `name` is that of the field.

    Values of fields whose name says a kind that is to be hidden go as a whole. Ids (`ticket_id`),
    times and counts stay as they are.
    """
    if not settings.enabled:
        return text
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    parts = [part for part in re.split(r"[\W_]+", words.lower()) if part]
    joined = [a + b for a, b in pairwise(parts)]
    found = [_KIND_OF[part] for part in (*joined, *parts) if part in _KIND_OF]
    if parts == ["name"]:
        found.append("name")
    digits = sum(c.isdigit() for c in text)
    for kind in found:
        fits = digits >= _LEAST_DIGITS.get(kind, 0) and (kind != "email" or "@" in text)
        if kind in settings.kinds and fits and parts[0] != "agent":
            return f"[{kind}]"
    if _TECHNICAL.search("_".join(parts)) and not re.search(r"\s|@", text):
        return text
    return redact_text(text, settings)


@lru_cache(maxsize=1 << 14)
def redact_text(text: str, settings: RedactionSettings) -> str:
    """Return a written text without what is private, by the rules for what is said."""
    said = text.split()
    if not settings.enabled or not (
        re.search(r"[\d@]", text) or len(said) >= _SHORTEST or "name" in settings.kinds
    ):
        return text
    words = tuple(
        Word(i * _STEP_S, i * _STEP_S + _WORD_S, "A", word, 1.0) for i, word in enumerate(said)
    )
    kept, hidden = redact(Transcript(None, None, words, (), {}), settings)
    return " ".join(word.text for word in kept.words) if hidden else text
