"""The events that the floor measures are computed from: turns, overlaps, silences, backchannels."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import combinations

from warmline.analysis import Backchannel, FloorTransfer, Overlap, Silence
from warmline.phrases import Matcher, PhraseRule, RuleFile, Spoken, parse_rules, spoken
from warmline.settings import FloorSettings
from warmline.turns import only_listens
from warmline.values import (
    Conversation,
    RoleName,
    Span,
    SpeakerSource,
    Speech,
    Transcript,
    Turn,
    Word,
    gaps,
    intersect,
    subtract,
    union,
)

# Turns as they are heard: from their first sound to their last.


def heard_turns(turns: Sequence[Turn], talk: Mapping[str, Sequence[Span]]) -> tuple[Turn, ...]:
    """Return the turns of the parties in `talk`, in order, cut to their sound.

    Recognised words are some 100 ms off, so a turn begins and ends where its speech does. A turn in
    which no speech was detected keeps its times.
    """
    edges = {p: ([s.start_s for s in spans], [s.end_s for s in spans]) for p, spans in talk.items()}
    heard = [_cut(turn, *edges[turn.party]) for turn in turns if turn.party in talk]
    return tuple(sorted(heard, key=lambda t: (t.start_s, t.end_s, t.party)))


def _cut(turn: Turn, starts: Sequence[float], ends: Sequence[float]) -> Turn:
    first, last = bisect_right(ends, turn.start_s), bisect_left(starts, turn.end_s) - 1
    if last < first:
        return turn
    return replace(
        turn, start_s=max(turn.start_s, starts[first]), end_s=min(turn.end_s, ends[last])
    )


class PartyTurns:
    """One party's turns, which never overlap, to ask which one is running."""

    def __init__(self, party: str, turns: Sequence[Turn]) -> None:
        self._turns = [t for t in turns if t.party == party]
        self._starts = [t.start_s for t in self._turns]

    def holding(self, speech: Span) -> Span:
        """Return the turn that this segment of speech belongs to; the segment itself if there is
        none.
        """
        at = bisect_left(self._starts, speech.end_s) - 1
        if at < 0 or self._turns[at].end_s <= speech.start_s:
            return speech
        turn = self._turns[at]
        return Span(min(turn.start_s, speech.start_s), max(turn.end_s, speech.end_s))

    def runs_through(self, span: Span) -> bool:
        """Return whether one turn begins before the span and goes on after it."""
        at = bisect_left(self._starts, span.start_s) - 1
        return at >= 0 and self._turns[at].end_s > span.end_s


# Silence of all parties: short gaps, dead air, and holds are kept apart.


GAP = "gap"
DEAD_AIR = "dead_air"
HOLD = "hold"


def silences_of(
    talk: Sequence[Span], tones: Sequence[Span], duration_s: float, settings: FloorSettings
) -> tuple[Silence, ...]:
    """Return all spans in which no party speaks, in order; together they are the non-talk time.

    Music or tones for at least `settings.hold_s` (pauses of ringing bridged) are a `hold`. The rest
    is `dead_air` from `settings.dead_air_s` on, else a `gap`. Before the first and after the last
    speech nobody audible is kept waiting: a `gap`, however long.
    """
    spoken = union(talk)
    if not spoken:
        return (Silence(0.0, duration_s, GAP),) if duration_s > 0 else ()
    first_s, last_s = spoken[0].start_s, spoken[-1].end_s
    inside = gaps(spoken, first_s, last_s)
    sounding = union(tones, bridge_s=settings.long_dead_air_s)
    holds = [h for h in intersect(inside, sounding) if h.duration_s >= settings.hold_s]
    found = [Silence(h.start_s, h.end_s, HOLD) for h in holds]
    for span in subtract(inside, holds):
        kind = DEAD_AIR if span.duration_s >= settings.dead_air_s else GAP
        found.append(Silence(span.start_s, span.end_s, kind))
    edges = (*gaps(spoken, 0.0, first_s), *gaps(spoken, last_s, duration_s))
    found += [Silence(e.start_s, e.end_s, GAP) for e in edges]
    return tuple(sorted(found, key=lambda s: s.start_s))


# Changes of speaker: how long the next one waits, or how early it comes in.


def transfers_of(turns: Sequence[Turn]) -> tuple[FloorTransfer, ...]:
    """Return every change of speaker in order, with the floor transfer offset in seconds.

    `turns` are in order and cut to their sound. A turn wholly inside another's took no floor.
    """
    found: list[FloorTransfer] = []
    holder: Turn | None = None
    for turn in turns:
        if holder is not None and turn.end_s <= holder.end_s:
            continue
        if holder is not None and turn.party != holder.party:
            offset_s = turn.start_s - holder.end_s
            found.append(FloorTransfer(turn.start_s, holder.party, turn.party, offset_s))
        holder = turn
    return tuple(found)


# Whether an interruption is cooperative: it agrees with the speaker, or completes the sentence.


_FILE = "cooperation.toml"
# How soon after a completion the interrupted party must take it up.
_TAKEN_UP_WITHIN_S = 3.0
_COMPLETION_MAX_WORDS = 8


@dataclass(frozen=True)
class PartyWords:
    """One party's words in order of start."""

    words: tuple[Word, ...]
    starts: tuple[float, ...]

    def between(self, start_s: float, end_s: float) -> list[str]:
        """Return the words whose middle lies in this span."""
        first = bisect_left(self.starts, start_s - 5.0)
        past = bisect_left(self.starts, end_s)
        return [
            w.text for w in self.words[first:past] if start_s <= (w.start_s + w.end_s) / 2 < end_s
        ]


def words_of(party: str, transcript: Transcript) -> PartyWords:
    """Return the words of one party."""
    words = tuple(sorted((w for w in transcript.words if w.party == party), key=_start_s))
    return PartyWords(words, tuple(w.start_s for w in words))


def is_cooperative(
    holder: PartyWords, entrant: PartyWords, overlap: Span, entry: Span
) -> bool | None:
    """Return whether the entrant agrees or completes; None if the words were not recognised.

    A completion: the holder left a phrase open, the entrant says no more than a few words, and the
    holder takes them up, by agreeing or by saying the same.
    """
    entered = spoken(entrant.between(entry.start_s, entry.end_s))
    if not entered.words:
        return None
    if opens_with_agreement(entered):
        return True
    left_open = leaves_open(spoken(holder.between(overlap.start_s - 5.0, overlap.end_s)))
    if not left_open or len(entered.words) > _COMPLETION_MAX_WORDS:
        return False
    reply = spoken(holder.between(overlap.end_s, entry.end_s + _TAKEN_UP_WITHIN_S))
    return opens_with_agreement(reply) or reply.words[:2] == entered.words[:2] != ()


def opens_with_agreement(said: Spoken) -> bool:
    """Return whether the first words agree."""
    return any(first == 0 for first, _ in _matcher("agreement.opening").find(said))


def leaves_open(said: Spoken) -> bool:
    """Return whether the last word cannot be a phrase's last."""
    return any(past == len(said.words) for _, past in _matcher("phrase.open").find(said))


@cache
def cooperation_rules() -> tuple[tuple[PhraseRule, Matcher], ...]:
    """Return the rules of `cooperation.toml`, compiled."""
    text = files("warmline.floor").joinpath(_FILE).read_text(encoding="utf-8")
    rules, _ = parse_rules(RuleFile(_FILE, text), PhraseRule, {})
    return tuple(rules)


def _matcher(rule_id: str) -> Matcher:
    return next(matcher for rule, matcher in cooperation_rules() if rule.id == rule_id)


def _start_s(word: Word) -> float:
    return word.start_s


# Overlaps: who held the floor, who came in, and what kind of entry it was.


INTERRUPTION = "interruption"
BACKCHANNEL = "backchannel"
TERMINAL = "terminal_overlap"
OTHER = "other"
UNSURE = "unsure"
# How far the edges of a party's speech may be off where voices share a channel. More of the planted
# ones are off by more, but of what is classed so, between eight and nine tenths are right.
_SHARED_CHANNEL_EDGE_S = 0.03


def overlaps_of(
    talk: Mapping[str, Sequence[Span]],
    turns: Sequence[Turn],
    said: Mapping[str, PartyWords] | None,
    settings: FloorSettings,
    edge_s: float = 0.0,
) -> tuple[Overlap, ...]:
    """Return every overlap of two parties' speech, classed, in order of time.

    `talk` has each party's speech, apart and in order; `turns` are cut to their sound. The holder
    is who began first. Classes, the first that fits (Heldner & Edlund 2010; Cho 2022):

    - `other` when both began together (`settings.simultaneous_s`): nobody held the floor;
    - `backchannel`: the entrant speaks for at most `backchannel_max_s` and the holder goes on;
    - `terminal_overlap`: it starts less than `terminal_overlap_s` before the holder ends;
    - `interruption`: `interruption_overlap_s` of overlap, `interruption_entrant_s` of the entrant;
    - `other`.

    Where the class would be another if an edge were `edge_s` off, it is `unsure`.

    The holder goes on by speaking past the entrant's end, or by a turn that does. An interruption
    is successful if the holder stops within `yield_within_s` of its start and does not go on.
    `said` are the words by party, None where they cannot be judged: then nothing is cooperative.
    """
    turns_of = {party: PartyTurns(party, turns) for party in talk}
    found = [
        _classed(*_roles(one, a, other, b), turns_of, said, settings, edge_s)
        for one, other in combinations(sorted(talk), 2)
        for a, b in _meetings(talk[one], talk[other])
    ]
    return tuple(sorted(found, key=lambda o: (o.start_s, o.end_s, o.holder, o.entrant)))


def _meetings(left: Sequence[Span], right: Sequence[Span]) -> list[tuple[Span, Span]]:
    ends = [s.end_s for s in right]
    pairs = []
    for a in left:
        for b in right[bisect_right(ends, a.start_s) :]:
            if b.start_s >= a.end_s:
                break
            pairs.append((a, b))
    return pairs


def _roles(one: str, a: Span, other: str, b: Span) -> tuple[str, Span, str, Span]:
    """Return (holder, its speech, entrant, its speech): who began first, or went on, held."""
    if (a.start_s, -a.end_s) <= (b.start_s, -b.end_s):
        return one, a, other, b
    return other, b, one, a


def _classed(
    holder: str,
    holding: Span,
    entrant: str,
    entry: Span,
    turns_of: Mapping[str, PartyTurns],
    said: Mapping[str, PartyWords] | None,
    settings: FloorSettings,
    edge_s: float,
) -> Overlap:
    overlap = Span(entry.start_s, min(holding.end_s, entry.end_s))
    turn = turns_of[holder].holding(holding)
    kinds = {_kind(holding, entry, overlap, turn, settings, off_s) for off_s in (-edge_s, edge_s)}
    kind = kinds.pop() if len(kinds) == 1 else UNSURE
    is_interruption = kind == INTERRUPTION
    stops = holding.end_s - overlap.start_s <= settings.yield_within_s
    successful = stops and holding.end_s < entry.end_s and turn.end_s <= entry.end_s
    cooperative = None
    if is_interruption and said is not None:
        cooperative = is_cooperative(said[holder], said[entrant], overlap, entry)
    return Overlap(
        start_s=overlap.start_s,
        end_s=overlap.end_s,
        holder=holder,
        entrant=entrant,
        kind=kind,
        successful=successful if is_interruption else None,
        cooperative=cooperative,
    )


def _kind(
    holding: Span, entry: Span, overlap: Span, turn: Span, settings: FloorSettings, off_s: float
) -> str:
    """Return the class of an overlap if the entrant speaks for `off_s` more than it seems."""
    if entry.start_s - turn.start_s < settings.simultaneous_s:
        return OTHER
    if entry.duration_s + off_s <= settings.backchannel_max_s and turn.end_s > entry.end_s + off_s:
        return BACKCHANNEL
    if holding.end_s - entry.start_s + off_s < settings.terminal_overlap_s:
        return TERMINAL
    long_enough = entry.duration_s >= settings.interruption_entrant_s
    if long_enough and overlap.duration_s >= settings.interruption_overlap_s:
        return INTERRUPTION
    return OTHER


# Backchannels, from the sound: short activity of one party inside another's turn.


def backchannels_of(
    talk: Mapping[str, Sequence[Span]],
    turns: Sequence[Turn],
    said: Mapping[str, PartyWords],
    *,
    words_refuse: bool,
    settings: FloorSettings,
    unsure: Sequence[Overlap] = (),
) -> tuple[Backchannel, ...]:
    """Return every backchannel in order of time, over the holder's speech or in a pause of it.

    Speech that enters with one of the `unsure` overlaps is none.

    Recognised words can only rule one out (`words_refuse`): "I'm so sorry" is short, but more than
    listening. `text` is None where no word was recognised. Speech that belongs to a longer turn of
    the same party is the beginning or the end of that turn.
    """
    turns_of = {party: PartyTurns(party, turns) for party in talk}
    found: list[Backchannel] = []
    for party, spans in talk.items():
        others = [turns_of[p] for p in talk if p != party]
        doubted = [o for o in unsure if o.entrant == party]
        for span in spans:
            if intersect([span], doubted):
                continue
            own = turns_of[party].holding(span)
            if own.duration_s > settings.backchannel_max_s:
                continue
            if not any(other.runs_through(span) for other in others):
                continue
            words = said[party].between(span.start_s, span.end_s)
            if only_listens(words) or not words_refuse:
                text = " ".join(w.strip() for w in words) or None
                found.append(Backchannel(span.start_s, span.end_s, party, text))
    return tuple(sorted(found, key=lambda b: (b.start_s, b.end_s, b.party)))


@dataclass(frozen=True)
class FloorEvents:
    """A call's floor. `talk` has the speech of every party, `people` the parties that are no
    recording.
    """

    speech: Speech
    transcript: Transcript
    conversation: Conversation
    duration_s: float
    people: tuple[str, ...]
    talk: dict[str, tuple[Span, ...]]
    turns: tuple[Turn, ...]
    overlaps: tuple[Overlap, ...]
    transfers: tuple[FloorTransfer, ...]
    silences: tuple[Silence, ...]
    backchannels: tuple[Backchannel, ...]

    def unsure_entries(self, party: str, short_s: float = float("inf")) -> list[Overlap]:
        """Return the entries of a party whose class is unsure, and which may be this short."""
        return [
            o
            for o in self.overlaps
            if o.kind == UNSURE
            and o.entrant == party
            and all(
                entry.duration_s - _SHARED_CHANNEL_EDGE_S <= short_s
                for entry in self.talk[party]
                if intersect([entry], [o])
            )
        ]

    def others_talk(self, party: str) -> list[Span]:
        """Return the spans in which any other person speaks."""
        return union(s for p in self.people if p != party for s in self.talk[p])


def floor_events(
    speech: Speech,
    transcript: Transcript,
    conversation: Conversation,
    duration_s: float,
    settings: FloorSettings,
) -> FloorEvents:
    """Return overlaps, transfers, silences and backchannels of a call.

    A recorded voice (IVR) breaks silence, but takes no part in the conversation: talking over it is
    no event.
    """
    talk = {p: tuple(union(s for s in speech.segments if s.party == p)) for p in speech.parties}
    people = tuple(p for p in talk if conversation.role_of(p) is not RoleName.IVR)
    live = {p: talk[p] for p in people}
    turns = heard_turns(conversation.turns, live)
    said = {p: words_of(p, transcript) for p in people}
    # The word lists are English; an unnamed language is a transcript made by hand.
    is_english = transcript.language in (None, "en")
    edge_s = _SHARED_CHANNEL_EDGE_S if speech.source is SpeakerSource.DIARIZATION else 0.0
    overlaps = overlaps_of(live, turns, said if is_english else None, settings, edge_s)
    unsure = [o for o in overlaps if o.kind == UNSURE]
    return FloorEvents(
        speech,
        transcript,
        conversation,
        duration_s,
        people,
        talk,
        turns,
        overlaps,
        transfers_of(turns),
        silences_of(speech.segments, speech.tones, duration_s, settings),
        backchannels_of(
            live, turns, said, words_refuse=is_english, settings=settings, unsure=unsure
        ),
    )
