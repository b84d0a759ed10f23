"""Laws that hold across stages: what must not matter changes what it should, and nothing else.

Shifting, swapping, scaling and silence at the ends are tried in the tests of each stage.
"""

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.conversations import GRID, NO_WORDS, SWAP, conversation_of, speech_of
from support.dialogues import Dialogue, dialogue, empathy_of, moments_of
from warmline.analysis import Floor
from warmline.floor import measure
from warmline.settings import FloorSettings
from warmline.values import RoleName

ROLES = {"A": RoleName.CUSTOMER, "B": RoleName.AGENT}
Spans = dict[str, list[tuple[float, float]]]


@st.composite
def talks(draw: st.DrawFn) -> list[tuple[str, float, float]]:
    """Turns of two parties one after the other: (party, length, pause before), in 1/64 s."""
    count = draw(st.integers(3, 8))
    return [
        ("AB"[i % 2], draw(st.integers(100, 600)) / GRID, draw(st.integers(16, 96)) / GRID)
        for i in range(count)
    ]


def laid_out(talk: list[tuple[str, float, float]]) -> tuple[Spans, float]:
    spans: Spans = {"A": [], "B": []}
    at = 1.0
    for party, length_s, pause_s in talk:
        at += pause_s
        spans[party].append((at, at + length_s))
        at += length_s
    return spans, at + 1.0


def floor_of(spans: Spans, duration_s: float) -> Floor:
    speech = speech_of(spans)
    return measure(
        speech, NO_WORDS, conversation_of(speech, roles=ROLES), duration_s, FloorSettings()
    )


def values(floor: Floor) -> dict[tuple[str, str | None], float | None]:
    return {(m.name, m.party): m.value for m in floor.metrics}


def changed(before: Floor, after: Floor) -> set[str]:
    """Names of measures that differ by more than rounding."""
    there, then = values(before), values(after)
    return {
        name
        for (name, party), value in there.items()
        if (value is None) != (then[name, party] is None)
        or (value is not None and abs(value - (then[name, party] or 0.0)) > 1e-9)
    }


@given(talks(), st.integers(0, 7), st.integers(16, 30))
def test_splitting_a_turn_at_a_pause_moves_talk_into_silence_and_nothing_else(
    talk: list[tuple[str, float, float]], which: int, pause: int
):
    """A breath between two phrases, too short for a turn to end, in which nobody speaks."""
    assume(which < len(talk))
    spans, duration_s = laid_out(talk)
    party, pause_s = talk[which][0], pause / GRID
    start_s, end_s = spans[party][which // 2]
    half_s = round((end_s - start_s) / 2 * GRID) / GRID
    cut = [(start_s, start_s + half_s - pause_s), (start_s + half_s, end_s)]
    assume(cut[0][1] - start_s >= 0.5)
    split = {**spans, party: [s for s in spans[party] if s != (start_s, end_s)] + cut}
    split[party].sort()
    before, after = floor_of(spans, duration_s), floor_of(split, duration_s)
    story = {"opening_story_s"} if party == "A" else set()  # it is seconds of the customer's speech
    assert changed(before, after) == {"talk_s", "talk_share", "non_talk_s"} | story | rates(before)
    there, then = values(before), values(after)
    assert there["talk_s", party] - then["talk_s", party] == pause_s
    assert then["non_talk_s", None] - there["non_talk_s", None] == pause_s
    assert (before.overlaps, before.transfers, before.backchannels) == (
        after.overlaps,
        after.transfers,
        after.backchannels,
    )


def rates(floor: Floor) -> set[str]:
    """Rates per minute of speech that are not zero: they move with the minutes."""
    return {m.name for m in floor.metrics if m.name.endswith("_per_min") and m.value}


@given(talks(), st.integers(1, 7), st.integers(1, 40))
def test_silence_between_two_turns_is_a_wait_and_nothing_else(
    talk: list[tuple[str, float, float]], which: int, eighths: int
):
    assume(which < len(talk))
    more_s = eighths / 8
    party, length_s, pause_s = talk[which]
    later = [*talk[:which], (party, length_s, pause_s + more_s), *talk[which + 1 :]]
    before, after = floor_of(*laid_out(talk)), floor_of(*laid_out(later))
    waits = {
        *("non_talk_s", "dead_air_s", "dead_air_count", "longest_dead_air_s", "long_dead_air_s"),
        *("long_dead_air_count", "fto_median_s", "response_latency_median_s"),
        "response_latency_p90_s",
    }
    assert changed(before, after) <= waits
    for name in ("response_latency_median_s", "response_latency_p90_s"):
        assert values(before)[name, SWAP[party]] == values(after)[name, SWAP[party]]
    offsets = [t.offset_s for t in before.transfers]
    offsets[which - 1] += more_s
    assert [t.offset_s for t in after.transfers] == offsets


CALL = (
    "agent: How can I help you today?",
    "customer: My card was stolen and I am so worried about my rent.",
    "agent: I'm so sorry, that must be frightening. I will block the card now.",
    "customer: This is the third time I call and I am really angry.",
    "agent: What is your postcode?",
    "customer: Thank you so much, that is a relief.",
)
PARTIES = {"agent": "B", "customer": "A"}


def between(call: Dialogue, turn: int, by_s: float) -> Dialogue:
    """The same call with more silence before a turn."""
    conversation, transcript = call
    from_s = conversation.turns[turn].start_s
    return (
        replace(
            conversation,
            turns=tuple(
                replace(t, start_s=t.start_s + by_s, end_s=t.end_s + by_s)
                if t.start_s >= from_s
                else t
                for t in conversation.turns
            ),
        ),
        replace(
            transcript,
            words=tuple(
                replace(w, start_s=w.start_s + by_s, end_s=w.end_s + by_s)
                if w.start_s >= from_s
                else w
                for w in transcript.words
            ),
        ),
    )


@given(st.integers(1, len(CALL) - 1), st.integers(1, 100))
@settings(deadline=None, max_examples=15)
def test_silence_between_turns_changes_no_feeling_and_no_answer(turn: int, quarters: int):
    call, by_s = dialogue(*CALL), quarters / 4
    before, after = empathy_of(call), empathy_of(between(call, turn, by_s))
    assert [(o.kind, o.text, o.answer, o.level) for o in before.opportunities] == [
        (o.kind, o.text, o.answer, o.level) for o in after.opportunities
    ]
    for there, then in zip(before.opportunities, after.opportunities, strict=True):
        waited = there.answer_turn_index is not None and (
            there.turn_index < turn <= there.answer_turn_index
        )
        grown = by_s if waited else 0.0
        assert then.latency_s == (None if there.latency_s is None else there.latency_s + grown)
    assert [(m.name, m.party, m.value) for m in before.metrics] == [
        (m.name, m.party, m.value) for m in after.metrics
    ]


def test_the_letters_of_the_parties_do_not_matter():
    roles = {letter: role for role, letter in PARTIES.items()}
    lettered = [f"{PARTIES[s]}: {text}" for s, text in (line.split(": ", 1) for line in CALL)]
    swapped = [f"{SWAP[line[0]]}{line[1:]}" for line in lettered]
    one = empathy_of(dialogue(*lettered, roles=roles))
    other = empathy_of(dialogue(*swapped, roles={SWAP[p]: r for p, r in roles.items()}))
    assert one.opportunities == tuple(
        replace(o, heard_by=SWAP.get(o.heard_by or "")) for o in other.opportunities
    )
    mirrored = {(m.name, SWAP.get(m.party or ""), m.value) for m in other.metrics}
    assert {(m.name, m.party, m.value) for m in one.metrics} == mirrored


def test_a_turn_split_at_a_pause_between_sentences_is_answered_alike():
    whole = dialogue(
        "customer: I am calling about my card. I am so worried about my rent.",
        "agent: I'm so sorry, that must be frightening.",
    )
    split = dialogue(
        "customer: I am calling about my card.",
        "customer: I am so worried about my rent.",
        "agent: I'm so sorry, that must be frightening.",
    )
    one, two = empathy_of(whole), empathy_of(split)
    assert [(m.kind, m.label, m.text) for m in moments_of(whole)] == [
        (m.kind, m.label, m.text) for m in moments_of(split)
    ]
    assert [(o.kind, o.answer, o.level, o.latency_s) for o in one.opportunities] == [
        (o.kind, o.answer, o.level, o.latency_s) for o in two.opportunities
    ]
    assert [(m.name, m.party, m.value) for m in one.metrics] == [
        (m.name, m.party, m.value) for m in two.metrics
    ]
