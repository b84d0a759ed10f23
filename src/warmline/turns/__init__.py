"""Turns: what one party says until another takes the floor, each with the role of its party.

Words that are only a listener's (continuers, acknowledgements, tokens of surprise) take no floor.
They are data: `listener.toml`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from importlib.resources import files

from warmline.phrases import Matcher, PhraseRule, RuleFile, Spoken, parse_rules, spoken
from warmline.settings import TurnSettings
from warmline.turns.roles import ReadTurns, assign_roles
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    Conversation,
    RoleName,
    Span,
    SpeakerSource,
    Speech,
    Transcript,
    Turn,
    Word,
    subtract,
    union,
)


def converse(
    speech: Speech,
    transcript: Transcript,
    layout: ChannelLayout,
    metadata: CallMetadata,
    settings: TurnSettings,
    read: ReadTurns | None = None,
    doubt: str | None = None,
) -> Conversation:
    """Return the call's turns, each with the role of its party; roles may be unknown.

    `read` is asked about two parties whose roles the metadata do not tell; `doubt` says why it is
    not sure which party said what, if so.
    """
    turns = build_turns(speech, transcript, settings)
    roles = assign_roles(
        *(turns, speech.parties, layout, metadata, settings, transcript.language, read),
        doubt=doubt,
        told_apart=speech.confidence if speech.source is SpeakerSource.DIARIZATION else 1.0,
    )
    names = {role.party: role.name for role in roles}
    return Conversation(
        roles, tuple(replace(t, role=names.get(t.party, RoleName.UNKNOWN)) for t in turns)
    )


_FILE = "listener.toml"


def only_listens(words: Sequence[str]) -> bool:
    """Return whether only listener's words and fillers were said; true when nothing was."""
    return listens(spoken(words))


def listens(said: Spoken) -> bool:
    """Return whether the listener's rules cover every word."""
    covered: set[int] = set()
    for _, matcher in listener_rules():
        for first, past in matcher.find(said):
            covered.update(range(first, past))
    return len(covered) == len(said.words)


@cache
def listener_rules() -> tuple[tuple[PhraseRule, Matcher], ...]:
    """Return the rules of `listener.toml`, compiled."""
    text = files("warmline.turns").joinpath(_FILE).read_text(encoding="utf-8")
    rules, _ = parse_rules(RuleFile(_FILE, text), PhraseRule, {})
    return tuple(rules)


# What each party contributes, segment by segment: taking the floor, listening, or speaking aside.

# A word to which the recogniser gave no length still marks where something was said.
_LEAST_WORD_S = 0.02


class ContributionKind(Enum):
    """The effect of a contribution on the floor."""

    FLOOR = "floor"
    ASIDE = "aside"
    BACKCHANNEL = "backchannel"
    NOISE = "noise"


@dataclass(frozen=True)
class Contribution(Span):
    """One segment of a party's speech. `words` are those that begin in it."""

    party: str
    words: tuple[Word, ...]
    kind: ContributionKind = ContributionKind.FLOOR


def contributions(
    speech: Speech, transcript: Transcript, settings: TurnSettings
) -> dict[str, tuple[Contribution, ...]]:
    """Return, per party, every segment of its speech in order, with what it does to the floor.

    Every word of the transcript is in exactly one contribution of its party.
    """
    parties = sorted({*speech.parties, *(w.party for w in transcript.words)})
    segments = {p: _segments(p, speech, transcript) for p in parties}
    utterances = {
        p: list(_utterances(segments[p], [segments[o] for o in parties if o != p], settings))
        for p in parties
    }
    return {
        p: tuple(
            replace(part, kind=utterance.kind(others, settings))
            for utterance in utterances[p]
            for part in utterance.parts
        )
        for p in parties
        for others in [[_Other(segments[o], utterances[o]) for o in parties if o != p]]
    }


def _segments(party: str, speech: Speech, transcript: Transcript) -> list[Contribution]:
    """Return a party's speech, cut and widened so that a word's time belongs to who said the word.

    With separate channels, what the other says takes nothing away. When voices share a channel,
    only one is heard at a time, and words mark its edges better than the segments do.
    """
    own = [w for w in transcript.words if w.party == party]
    if speech.source is SpeakerSource.DIARIZATION:
        claimed = [w for w in transcript.words if w.party != party]
        heard = subtract((s for s in speech.exclusive if s.party == party), claimed)
    else:
        heard = [Span(s.start_s, s.end_s) for s in speech.segments if s.party == party]
    said = [Span(w.start_s, max(w.end_s, w.start_s + _LEAST_WORD_S)) for w in own]
    spans = union([*heard, *said])
    starts = [s.start_s for s in spans]
    words: list[list[Word]] = [[] for _ in spans]
    for word in own:
        words[bisect_right(starts, word.start_s) - 1].append(word)
    return [
        Contribution(s.start_s, s.end_s, party, tuple(w)) for s, w in zip(spans, words, strict=True)
    ]


@dataclass(frozen=True)
class _Speaking:
    """Contributions of one party with only short pauses between them."""

    parts: tuple[Contribution, ...]
    is_short: bool
    is_listening: bool

    @property
    def start_s(self) -> float:
        return self.parts[0].start_s

    @property
    def end_s(self) -> float:
        return self.parts[-1].end_s

    def kind(self, others: Sequence["_Other"], settings: TurnSettings) -> ContributionKind:
        if self.is_short and any(o.covers(self) for o in others):
            return ContributionKind.BACKCHANNEL if self.is_listening else ContributionKind.ASIDE
        if self.is_short and self.is_listening and any(o.goes_on(self, settings) for o in others):
            return ContributionKind.BACKCHANNEL
        has_words = any(p.words for p in self.parts)
        long_enough = _speech_s(self.parts) >= settings.min_wordless_s
        return ContributionKind.FLOOR if has_words or long_enough else ContributionKind.NOISE


def _utterances(
    segments: Sequence[Contribution],
    others: Sequence[Sequence[Contribution]],
    settings: TurnSettings,
) -> Iterator[_Speaking]:
    parts: list[Contribution] = []
    for at, segment in enumerate(segments):
        paused = parts and segment.start_s - parts[-1].end_s > settings.phrase_pause_s
        if paused or (parts and _has_stopped(segments, at, others, settings)):
            yield _utterance(parts, settings)
            parts = []
        parts.append(segment)
    if parts:
        yield _utterance(parts, settings)


def _has_stopped(
    segments: Sequence[Contribution],
    at: int,
    others: Sequence[Sequence[Contribution]],
    settings: TurnSettings,
) -> bool:
    """Return whether the party already listens: to another who speaks through its pause.

    "... from far away. [the other: If you give me a minute, ...] Yes." The "yes" is no longer part
    of what was said before it, however short the pause.
    """
    before, entry, after = segments[at - 1], segments[at], segments[at + 1 : at + 2]
    goes_on = any(a.start_s - entry.end_s <= settings.phrase_pause_s for a in after)
    if goes_on or not entry.words or entry.duration_s > settings.backchannel_max_s:
        return False
    return only_listens([w.text for w in entry.words]) and any(
        _speaks_through(other, before.end_s, entry.end_s) for other in others
    )


def _speaks_through(segments: Sequence[Contribution], start_s: float, end_s: float) -> bool:
    at = bisect_right(segments, start_s, key=lambda s: s.start_s) - 1
    return at >= 0 and segments[at].end_s > end_s


def _utterance(parts: Sequence[Contribution], settings: TurnSettings) -> _Speaking:
    words = [w.text for p in parts for w in p.words]
    return _Speaking(
        tuple(parts),
        is_short=_speech_s(parts) <= settings.backchannel_max_s,
        is_listening=only_listens(words),
    )


def _speech_s(parts: Sequence[Contribution]) -> float:
    return sum(p.duration_s for p in parts)


class _Other:
    """Another party's speech, to ask whether it goes on through a short entry."""

    def __init__(self, segments: Sequence[Contribution], utterances: Sequence[_Speaking]) -> None:
        self._segments = segments
        self._starts = [s.start_s for s in segments]
        self._ends = [s.end_s for s in segments]
        # Listeners' words in alternation ("bye" - "bye") hold no floor.
        self._slight = {
            p.start_s for u in utterances if u.is_short and u.is_listening for p in u.parts
        }

    def covers(self, entry: _Speaking) -> bool:
        """Return whether the other speaks from before the entry until after it without a pause."""
        at = bisect_right(self._starts, entry.start_s) - 1
        if at < 0 or self._ends[at] < entry.end_s:
            return False
        return self._segments[at].duration_s > entry.end_s - entry.start_s

    def goes_on(self, entry: _Speaking, settings: TurnSettings) -> bool:
        """Return whether the other pauses for the entry, has asked nothing, and soon speaks on."""
        before = bisect_left(self._starts, entry.start_s) - 1
        after = bisect_right(self._ends, entry.end_s)
        if before < 0 or after >= len(self._segments) or after <= before:
            return False
        last, following = self._segments[before], self._segments[after]
        if {last.start_s, following.start_s} & self._slight or _asks(last):
            return False
        return (
            entry.start_s - last.end_s <= settings.resume_within_s
            and following.start_s - entry.end_s <= settings.resume_within_s
            and following.start_s - last.end_s <= settings.max_pause_s
        )


def _asks(segment: Contribution) -> bool:
    return bool(segment.words) and segment.words[-1].text.rstrip().endswith("?")


def build_turns(speech: Speech, transcript: Transcript, settings: TurnSettings) -> tuple[Turn, ...]:
    """Return the turns of a call in order of start, roles not yet known.

    Another party takes the floor by speaking in a pause of the one who holds it; a pause longer
    than `settings.max_pause_s` ends a turn by itself. A backchannel neither ends a turn nor is one.
    A short remark spoken over the holder is a turn, and does not end the holder's. Speech without
    recognised words is a turn with empty text, if it lasts `settings.min_wordless_s`.

    Every word is in exactly one turn or one backchannel; turns of one party never overlap.
    Times are edges of sound or words, seconds; `speech_s` is the party's speech inside the turn.
    """
    said = contributions(speech, transcript, settings)
    turns = [turn for party in said for turn in _turns_of(party, said, settings)]
    turns.sort(key=lambda parts: (parts[0].start_s, parts[-1].end_s, parts[0].party))
    return tuple(_turn(index, parts) for index, parts in enumerate(turns))


def _turns_of(
    party: str, said: dict[str, tuple[Contribution, ...]], settings: TurnSettings
) -> list[list[Contribution]]:
    own = [c for c in said[party] if c.kind in (ContributionKind.FLOOR, ContributionKind.ASIDE)]
    rivals = [
        _Rival([c for c in said[p] if c.kind is ContributionKind.FLOOR]) for p in said if p != party
    ]
    turns: list[list[Contribution]] = []
    for part in own:
        if turns:
            pause = Span(turns[-1][-1].end_s, part.start_s)
            ended = pause.duration_s > settings.max_pause_s
            if not ended and not any(rival.takes(pause, settings) for rival in rivals):
                turns[-1].append(part)
                continue
        turns.append([part])
    return turns


class _Rival:
    """One party's floor-taking speech, to ask whether it takes the floor in another's pause."""

    def __init__(self, parts: Sequence[Contribution]) -> None:
        self._parts = parts
        self._ends = [p.end_s for p in parts]

    def takes(self, pause: Span, settings: TurnSettings) -> bool:
        """Return whether it falls into the pause with half of itself, or fills half of a pause.

        An overlap that merely reaches into a pause, or runs through a short one, takes nothing.
        """
        between_phrases = pause.duration_s > settings.phrase_pause_s
        for part in self._parts[bisect_right(self._ends, pause.start_s) :]:
            if part.start_s >= pause.end_s:
                return False
            shared_s = min(part.end_s, pause.end_s) - max(part.start_s, pause.start_s)
            filled = between_phrases and shared_s >= pause.duration_s / 2
            if filled or shared_s >= part.duration_s / 2:
                return True
        return False


def _turn(index: int, parts: Sequence[Contribution]) -> Turn:
    words = [w for p in parts for w in p.words]
    return Turn(
        start_s=parts[0].start_s,
        end_s=parts[-1].end_s,
        index=index,
        party=parts[0].party,
        role=RoleName.UNKNOWN,
        text=" ".join(w.text.strip() for w in words),
        word_count=len(words),
        speech_s=sum(p.duration_s for p in parts),
    )
