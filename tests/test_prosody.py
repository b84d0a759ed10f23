from dataclasses import replace

import numpy as np
import pytest

from support.conversations import (
    conversation_of,
    shifted,
    shifted_words,
    speech_of,
    swapped,
    words_of,
)
from support.voices import noise, said, sound_of
from warmline.analysis import Prosody
from warmline.prosody import DEFINITIONS, measure
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.settings import ProsodySettings
from warmline.values import (
    ChannelLayout,
    Conversation,
    RoleName,
    Span,
    SpeakerSource,
)

SETTINGS = ProsodySettings()
STEREO = ChannelLayout("stereo", 2, 0.1, "two channels")
MONO = ChannelLayout("mono", 1, None, "one channel")
ROLES = {"A": RoleName.CUSTOMER, "B": RoleName.AGENT}
TURN_S = 2.0
PERIOD_S = 5.0  # a customer's turn, half a second, the agent's turn, half a second


class Call:
    """Customer (A, 200 Hz) and agent (B, 120 Hz) in turn, with a gain and a rate for every turn."""

    def __init__(
        self,
        gains_db: dict[str, list[float]],
        words: dict[str, list[int]] | None = None,
        pitch_st: dict[str, list[float]] | None = None,
        layout: ChannelLayout = STEREO,
    ) -> None:
        n = len(gains_db["A"])
        self.layout = layout
        self.times = {
            p: [(at + PERIOD_S * i, at + PERIOD_S * i + TURN_S) for i in range(n)]
            for p, at in (("A", 0.5), ("B", 3.0))
        }
        channels = []
        for party, base_hz in (("A", 200.0), ("B", 120.0)):
            channel = noise(PERIOD_S * n + 1.0, 1e-4, seed=ord(party))
            for i, (start_s, end_s) in enumerate(self.times[party]):
                raised = pitch_st[party][i] if pitch_st else 0.0
                voice = said(base_hz * 2 ** (raised / 12), end_s - start_s)
                first = round(start_s * SAMPLE_RATE_HZ)
                channel[first : first + len(voice)] += 10 ** (gains_db[party][i] / 20) * voice
            channels.append(channel)
        self.sound = sound_of(*channels) if layout is STEREO else sound_of(sum(channels))
        source = SpeakerSource.CHANNEL if layout is STEREO else SpeakerSource.DIARIZATION
        self.speech = speech_of(self.times, source=source)
        counts = words or {p: [6] * n for p in "AB"}
        self.transcript = words_of(
            *(
                (party, start_s, end_s, " ".join(["word"] * counts[party][i]))
                for party in "AB"
                for i, (start_s, end_s) in enumerate(self.times[party])
            )
        )

    @property
    def conversation(self) -> Conversation:
        return conversation_of(self.speech, self.transcript, ROLES)

    def measured(self, hostile: tuple[Span, ...] = ()) -> Prosody:
        return measure(
            self.sound,
            self.layout,
            self.speech,
            self.transcript,
            self.conversation,
            SETTINGS,
            hostile,
        )


def value(prosody: Prosody, name: str, party: str | None) -> float | None:
    found = [m for m in prosody.metrics if m.name == name and m.party == party]
    assert len(found) == 1
    return found[0].value


def flat(n: int) -> dict[str, list[float]]:
    return {"A": [0.0] * n, "B": [0.0] * n}


HOT = (4, 5, 9)  # of twelve turns


def heated_call(agent_db: float, agent_words: int, agent_st: float) -> Call:
    gains, words = flat(12), {"A": [6] * 12, "B": [6] * 12}
    pitch = flat(12)
    for i in HOT:
        gains["A"][i], gains["B"][i] = 8.0, agent_db
        words["B"][i] = agent_words
        pitch["B"][i] = agent_st
    return Call(gains, words, pitch)


@pytest.fixture(scope="module")
def calm() -> tuple[Call, Prosody]:
    call = Call(flat(12))
    return call, call.measured()


def test_every_definition_is_answered_once_for_every_party_or_call(calm):
    _, prosody = calm
    told = {(m.name, m.party) for m in prosody.metrics}
    assert len(told) == len(prosody.metrics)
    assert told == {
        (d.name, party)
        for d in DEFINITIONS
        for party in (("A", "B") if d.level == "party" else (None,))
    }
    assert all((m.value is None) == (m.reason is not None) for m in prosody.metrics)


def test_pitch_level_and_rate_of_each_party_are_found(calm):
    _, prosody = calm
    assert value(prosody, "pitch_median_hz", "A") == pytest.approx(200, rel=0.005)
    assert value(prosody, "pitch_median_hz", "B") == pytest.approx(120, rel=0.005)
    assert value(prosody, "rate_median_words_per_s", "A") == pytest.approx(3.0)
    assert value(prosody, "pause_share", "A") == pytest.approx(0.0)
    assert value(prosody, "voiced_share", "A") > 0.95
    assert all(abs(t.level_rel_db) < 0.2 for t in prosody.turns)
    assert all(abs(t.pitch_median_st) < 0.1 for t in prosody.turns)
    assert all(abs(t.pitch_slope_st_per_s) < 0.1 for t in prosody.turns)


def test_a_planted_ramp_of_gain_is_recovered_turn_by_turn():
    steps = [float(i) for i in range(-6, 6)]
    prosody = Call({"A": steps, "B": [0.0] * 12}).measured()
    levels = [t.level_rel_db for t in prosody.turns if t.party == "A"]
    assert np.diff(levels) == pytest.approx(1.0, abs=0.05)
    assert value(prosody, "customer_level_recovery_db", "A") == pytest.approx(-9.0, abs=0.1)


def test_a_planted_ramp_of_rate_is_recovered_turn_by_turn():
    counts = list(range(14, 2, -1))
    prosody = Call(flat(12), {"A": counts, "B": [6] * 12}).measured()
    rates = [t.rate_words_per_s for t in prosody.turns if t.party == "A"]
    assert rates == pytest.approx([c / TURN_S for c in counts])
    assert value(prosody, "customer_rate_recovery", "A") == pytest.approx(9 / TURN_S)


@pytest.mark.parametrize(("db", "words", "st"), [(0.0, 6, 0.0), (6.0, 10, 2.0), (-4.0, 4, -1.0)])
def test_what_the_agent_does_under_heat_is_recovered(db: float, words: int, st: float):
    prosody = heated_call(db, words, st).measured()
    assert value(prosody, "heated_turns", "A") == len(HOT)
    assert value(prosody, "steadiness_level_db", "B") == pytest.approx(db, abs=0.1)
    assert value(prosody, "steadiness_rate_words_per_s", "B") == pytest.approx((words - 6) / TURN_S)
    assert value(prosody, "steadiness_pitch_st", "B") == pytest.approx(st, abs=0.1)
    evidence = next(
        m.evidence
        for m in prosody.metrics
        if m.name == "steadiness_level_db" and m.value is not None
    )
    assert [s.start_s for s in evidence] == [3.0 + PERIOD_S * i for i in HOT]
    assert value(prosody, "steadiness_level_db", "A") is None
    assert value(prosody, "heated_turns", "B") is None


def test_hostile_words_are_heat_too(calm):
    call, prosody = calm
    assert value(prosody, "heated_turns", "A") == 0
    hostile = call.measured(hostile=(Span(0.6, 0.9), Span(11.0, 11.5)))
    assert value(hostile, "heated_turns", "A") == 2
    assert value(hostile, "steadiness_level_db", "B") == pytest.approx(0.0, abs=0.1)


def test_heat_is_not_said_without_roles_or_with_too_few_turns():
    few = Call(flat(3)).measured()
    assert value(few, "heated_turns", "A") is None
    call = Call(flat(6))
    unknown = measure(
        call.sound,
        call.layout,
        call.speech,
        call.transcript,
        conversation_of(call.speech, call.transcript),
        SETTINGS,
    )
    reasons = {m.reason for m in unknown.metrics if m.name == "steadiness_level_db"}
    assert reasons == {"agent and customer are not both known"}


def without_absolute_level(prosody: Prosody) -> list[tuple[float | None, ...]]:
    return [
        (
            *(t.pitch_median_st, t.pitch_slope_st_per_s, t.level_rel_db, t.rate_words_per_s),
            *(t.pause_share, t.spectral_tilt_db_per_octave, t.voiced_share),
        )
        for t in prosody.turns
    ]


def test_scaling_loudness_changes_absolute_levels_and_nothing_else():
    call = heated_call(6.0, 10, 2.0)
    loud = call.measured()
    call.sound = replace(call.sound, pcm=(call.sound.pcm // 4))
    soft = call.measured()
    by_db = 20 * np.log10(4)
    np.testing.assert_allclose(
        [t.level_db for t in loud.turns], [t.level_db + by_db for t in soft.turns], atol=0.05
    )
    np.testing.assert_allclose(
        without_absolute_level(loud), without_absolute_level(soft), atol=0.15
    )
    for metric in loud.metrics:
        scaled = value(soft, metric.name, metric.party)
        if metric.name in ("level_median_db", "loudness_lufs"):
            assert scaled == pytest.approx(metric.value - by_db, abs=0.05)
        elif not metric.name.startswith("entrainment"):
            assert scaled == (metric.value and pytest.approx(metric.value, abs=0.1))


def test_swapping_channels_swaps_the_parties(calm):
    call, there = calm
    back = measure(
        replace(call.sound, pcm=call.sound.pcm[::-1]),
        call.layout,
        swapped(call.speech),
        replace(
            call.transcript,
            words=tuple(
                replace(w, party={"A": "B", "B": "A"}[w.party]) for w in call.transcript.words
            ),
        ),
        replace(
            call.conversation,
            turns=tuple(
                replace(t, party={"A": "B", "B": "A"}[t.party]) for t in call.conversation.turns
            ),
            roles=tuple(
                replace(r, party={"A": "B", "B": "A"}[r.party]) for r in call.conversation.roles
            ),
        ),
        SETTINGS,
    )
    for metric in there.metrics:
        party = {"A": "B", "B": "A", None: None}[metric.party]
        assert value(back, metric.name, party) == metric.value


def test_silence_before_and_after_changes_times_only(calm):
    call, there = calm
    quiet = noise(4.0, 1e-4, seed=5)
    padded = np.stack([np.concatenate([quiet, c / 32768, quiet]) for c in call.sound.pcm])
    later = measure(
        sound_of(*padded),
        call.layout,
        shifted(call.speech, 4.0),
        shifted_words(call.transcript, 4.0),
        conversation_of(shifted(call.speech, 4.0), shifted_words(call.transcript, 4.0), ROLES),
        SETTINGS,
    )
    for metric in there.metrics:
        expected = metric.value and pytest.approx(metric.value, abs=1e-3)
        assert value(later, metric.name, metric.party) == expected


def test_on_one_channel_a_party_is_measured_where_it_speaks_alone():
    call = Call({"A": [0.0] * 6, "B": [14.0] * 6}, layout=MONO)
    clean = call.measured()
    # The agent shouts over the second half of every turn of the customer.
    over = [(s + 1.0, e) for s, e in call.times["A"]]
    pcm = call.sound.pcm.astype(float) / 32768
    for start_s, end_s in over:
        first = round(start_s * SAMPLE_RATE_HZ)
        shout = 7 * said(120.0, end_s - start_s)
        pcm[0, first : first + len(shout)] += shout
    call.sound = sound_of(*pcm)
    call.speech = speech_of(
        {"A": call.times["A"], "B": sorted([*call.times["B"], *over])},
        source=SpeakerSource.DIARIZATION,
    )
    mixed = call.measured()
    for name in ("pitch_median_hz", "level_median_db"):
        assert value(mixed, name, "A") == pytest.approx(value(clean, name, "A"), rel=0.01)
    coverage = {m.party: m.coverage for m in mixed.metrics if m.name == "pitch_median_hz"}
    assert coverage["A"] == pytest.approx(0.5, abs=0.05)


def test_nothing_is_made_up_where_there_is_nothing_to_hear():
    silent = Sound(np.zeros((2, 10 * SAMPLE_RATE_HZ), np.int16), 8_000, "silence")
    speech = speech_of({"A": [], "B": []})
    nothing = measure(silent, STEREO, speech, words_of(), Conversation((), ()), SETTINGS)
    assert all(m.value is None and m.reason for m in nothing.metrics)
    heard = speech_of({"A": [(1, 4)], "B": [(5, 9)]})
    digital = measure(silent, STEREO, heard, words_of(), conversation_of(heard), SETTINGS)
    said = {m.name for m in digital.metrics if m.value is not None}
    assert said == {"pause_share"}
    assert all(t.level_db is None and t.pitch_median_st is None for t in digital.turns)


def test_more_voices_than_channels_do_not_disturb():
    speech = speech_of(
        {"A": [(0.5, 2.5)], "B": [(2, 4)], "C": [(3.5, 6)]}, source=SpeakerSource.DIARIZATION
    )
    prosody = measure(
        sound_of(said(150, 6.0)), MONO, speech, words_of(), conversation_of(speech), SETTINGS
    )
    assert {p.party for p in prosody.parties} == {"A", "B", "C"}


def test_likeness_of_level_over_a_call_is_recovered():
    n = 12
    swing = [3 * np.sin(i / 2) for i in range(n)]
    together = Call({"A": swing, "B": swing}).measured()
    assert value(together, "entrainment_level_synchrony", None) > 0.8
    against = Call({"A": swing, "B": [-s for s in swing]}).measured()
    assert value(against, "entrainment_level_synchrony", None) < -0.8
    apart = [(-1) ** i * (n - i) / 2 for i in range(n)]
    closing = Call({"A": apart, "B": [-a for a in apart]}).measured()
    parting = Call({"A": apart[::-1], "B": [-a for a in apart[::-1]]}).measured()
    assert value(closing, "entrainment_level_convergence", None) > 0.1
    assert value(parting, "entrainment_level_convergence", None) < -0.1
    assert value(together, "entrainment_rate_synchrony", None) is None
