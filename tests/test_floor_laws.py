"""The floor: what is planted is found, and what changes when calls are shifted or swapped."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from support.conversations import (
    GRID,
    NO_WORDS,
    SWAP,
    calls,
    conversation_of,
    shifted,
    shifted_words,
    speech_of,
    swapped,
    swapped_words,
)
from support.floors import ROLES, SETTINGS, Event, events, metric, value
from warmline.analysis import Floor
from warmline.floor import DEFINITIONS, measure
from warmline.values import (
    SpeakerSource,
    Speech,
    Transcript,
    total_s,
)


@dataclass(frozen=True)
class Planted:
    speech: Speech
    events: list[Event]
    transfers: list[tuple[float, str, str, float]]
    duration_s: float


@st.composite
def planted_calls(draw: st.DrawFn) -> Planted:
    """Turns by two parties with every kind of entry planted inside and between them."""

    def sixty_fourths(low_s: float, high_s: float) -> float:
        return draw(st.integers(round(low_s * GRID), round(high_s * GRID))) / GRID

    spans: dict[str, list[tuple[float, float]]] = {"A": [], "B": []}
    events: list[Event] = []
    transfers: list[tuple[float, str, str, float]] = []
    start_s, holder = 1.0, "A"
    for _ in range(draw(st.integers(2, 6))):
        end_s = start_s + sixty_fourths(13, 16)
        other = SWAP[holder]
        spans[holder].append((start_s, end_s))
        inside = draw(st.sampled_from(["nothing", "backchannel", "interruption"]))
        if inside != "nothing":
            at_s = start_s + sixty_fourths(4, 5)
            short = inside == "backchannel"
            length_s = sixty_fourths(0.125, 1.0) if short else sixty_fourths(1 + 1 / GRID, 3)
            spans[other].append((at_s, at_s + length_s))
            failed = None if short else False
            events.append((at_s, at_s + length_s, holder, other, inside, failed))
        into = draw(st.sampled_from(["gap", "terminal_overlap", "won", "not yielded"]))
        overlap_s = {
            "gap": lambda: -sixty_fourths(0.25, 1.5),
            "terminal_overlap": lambda: sixty_fourths(1 / GRID, 19 / GRID),
            "won": lambda: sixty_fourths(20 / GRID, 1.0),
            "not yielded": lambda: sixty_fourths(1 + 1 / GRID, 2),
        }[into]()
        next_s = end_s - overlap_s
        transfers.append((next_s, holder, other, -overlap_s))
        if into == "terminal_overlap":
            events.append((next_s, end_s, holder, other, into, None))
        elif into != "gap":
            events.append((next_s, end_s, holder, other, "interruption", into == "won"))
        start_s, holder = next_s, other
    spans[holder].append((start_s, start_s + 5))
    return Planted(speech_of(spans), sorted(events), transfers, start_s + 6)


@given(planted_calls())
def test_every_planted_entry_is_found_and_no_other(call: Planted):
    floor = measure(call.speech, NO_WORDS, conversation_of(call.speech), call.duration_s, SETTINGS)
    assert events(floor) == call.events
    found = [(t.at_s, t.from_party, t.to_party, t.offset_s) for t in floor.transfers]
    assert found == call.transfers
    planted = [
        (s, e, entrant) for s, e, _, entrant, kind, _ in call.events if kind == "backchannel"
    ]
    assert [(b.start_s, b.end_s, b.party) for b in floor.backchannels] == planted
    for party in "AB":
        entries = [e for e in call.events if e[4] == "interruption" and e[3] == party]
        assert value(floor, "interruptions", party) == len(entries)
        assert value(floor, "successful_interruptions", party) == sum(bool(e[5]) for e in entries)
        evidence = metric(floor, "interruptions", party).evidence
        assert [(s.start_s, s.end_s) for s in evidence] == [e[:2] for e in entries]


@given(calls("ABC"))
def test_any_three_parties_are_measured_completely(call: tuple[Speech, Transcript]):
    speech, transcript = call
    for source in (SpeakerSource.CHANNEL, SpeakerSource.DIARIZATION):
        given = replace(speech, source=source)
        conversation = conversation_of(given, transcript, ROLES)
        floor = measure(given, transcript, conversation, 120.0, SETTINGS)
        names = [(m.name, m.party) for m in floor.metrics]
        assert len(set(names)) == len(names)
        assert {n for n, _ in names} == {d.name for d in DEFINITIONS}


@given(calls())
def test_talk_and_silence_make_up_the_call(call: tuple[Speech, Transcript]):
    speech, transcript = call
    floor = measure(speech, transcript, conversation_of(speech, transcript), 120.0, SETTINGS)
    talk_s = sum(value(floor, "talk_s", p) for p in "AB")
    overlap_s = total_s(floor.overlaps)
    assert value(floor, "overlap_s") in (None, overlap_s)
    assert talk_s - overlap_s + value(floor, "non_talk_s") == 120.0


def measured(speech: Speech, transcript: Transcript, duration_s: float) -> Floor:
    return measure(
        speech, transcript, conversation_of(speech, transcript, ROLES), duration_s, SETTINGS
    )


@given(calls(), st.integers(1, 3000))
def test_shifting_changes_times_and_leading_silence_only(call: tuple[Speech, Transcript], by: int):
    speech, transcript = call
    there = measured(speech, transcript, 120.0)
    later = measured(shifted(speech, by), shifted_words(transcript, by), 120.0 + by)
    assert [(o.kind, o.start_s + by, o.successful, o.cooperative) for o in there.overlaps] == [
        (o.kind, o.start_s, o.successful, o.cooperative) for o in later.overlaps
    ]
    for before, after in zip(there.metrics, later.metrics, strict=True):
        grown = by if before.name == "non_talk_s" else 0
        assert after.value == (before.value if before.value is None else before.value + grown)
        assert (before.numerator or 0) + grown == (after.numerator or 0)


@given(calls())
def test_silence_at_the_end_is_non_talk_and_nothing_else(call: tuple[Speech, Transcript]):
    there, longer = measured(*call, 120.0), measured(*call, 150.0)
    changed = {m.name for m, n in zip(there.metrics, longer.metrics, strict=True) if m != n}
    assert changed == {"non_talk_s"}
    assert value(longer, "non_talk_s") == value(there, "non_talk_s") + 30


@given(calls())
def test_swapping_the_parties_swaps_their_measures(call: tuple[Speech, Transcript]):
    speech, transcript = call
    there = measured(speech, transcript, 120.0)
    other = measure(
        swapped(speech),
        swapped_words(transcript),
        conversation_of(
            swapped(speech), swapped_words(transcript), {SWAP[p]: r for p, r in ROLES.items()}
        ),
        120.0,
        SETTINGS,
    )
    for m in there.metrics:
        party = None if m.party is None else SWAP[m.party]
        assert value(other, m.name, party) == m.value
