"""Scenes become sound: what is asked for is in the samples."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from support.scenes import LONG, SPEAKERS, ada, cleo, level_db, needs_flite, scene
from warmline import simulate
from warmline.errors import ScriptError
from warmline.simulate import SimulatedSpeaker, sounds
from warmline.values import RoleName, Span, union


@needs_flite
def test_the_same_scene_gives_the_same_samples_and_another_seed_only_other_noise():
    lines = (ada("Good morning."), cleo("Hello, it is me again."))
    first, again = simulate.render(scene(*lines)), simulate.render(scene(*lines))
    other = simulate.render(scene(*lines, seed=1))
    assert np.array_equal(first.pcm, again.pcm)
    assert first.truth == again.truth == other.truth
    difference = (first.pcm.astype(float) - other.pcm) / 32768
    assert 10 * np.log10(np.mean(difference**2)) == pytest.approx(-24 - 50 + 3, abs=0.5)


@needs_flite
def test_pauses_are_kept_to_the_sample():
    call = simulate.render(
        scene(ada("Good morning."), cleo("Hello.", pause_s=1.25), ada("Yes?"), pause_s=0.5)
    )
    first, second, third = call.truth.turns
    assert first.start_s == pytest.approx(0.6, abs=1e-4)
    assert second.start_s - first.end_s == pytest.approx(1.25, abs=2e-4)
    assert third.start_s - second.end_s == pytest.approx(0.5, abs=2e-4)
    assert call.truth.duration_s == pytest.approx(call.pcm.shape[1] / call.rate_hz, abs=2e-4)


@needs_flite
@pytest.mark.parametrize("voice", sounds.VOICES)
def test_words_are_in_order_inside_their_turn_and_heard(voice: str):
    speakers = {"Ada": SimulatedSpeaker(role="agent", channel=1, voice=voice, formants=1.06)}
    call = simulate.render(scene(ada("It's done, isn't it? Twenty-four hours."), speakers=speakers))
    (turn,), words = call.truth.turns, call.truth.words
    assert [w.text for w in words] == ["It's", "done,", "isn't", "it?", "Twenty-four", "hours."]
    assert words[0].start_s == turn.start_s
    assert words[-1].end_s == turn.end_s
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(words))
    assert all(level_db(call, 1, [w]) > -45 for w in words)
    before, after = Span(0, turn.start_s - 0.03), Span(turn.end_s + 0.03, call.truth.duration_s)
    assert level_db(call, 1, [before, after]) < -24 - 50 + 3


@needs_flite
def test_word_times_beside_a_pause_are_where_the_sound_is():
    """Independent of the engine: an energy detector 35 dB under the peak finds the same edges."""
    call = simulate.render(
        scene(cleo("But please, tell me, what can I do now? Pay, or wait?"), snr_db=60)
    )
    envelope = np.convolve(np.abs(call.pcm[0] / 32768.0), np.ones(40) / 40, "same")
    is_loud = envelope > envelope.max() * 10 ** (-35 / 20)
    words = call.truth.words
    afters = [b for a, b in pairwise(words) if b.start_s - a.end_s > 0.1]
    assert len(afters) >= 2
    for word in afters:
        loud_s = np.flatnonzero(is_loud) / call.rate_hz
        onset_s = loud_s[loud_s > word.start_s - 0.05][0]
        assert onset_s == pytest.approx(word.start_s, abs=0.04)


@needs_flite
def test_only_what_a_telephone_carries():
    call = simulate.render(scene(ada(LONG)))
    power = np.abs(np.fft.rfft(call.pcm[1].astype(float))) ** 2
    frequency_hz = np.fft.rfftfreq(call.pcm.shape[1], 1 / call.rate_hz)
    outside = power[(frequency_hz < 250) | (frequency_hz > 3500)].sum()
    assert 10 * np.log10(outside / power.sum()) < -35


@needs_flite
def test_gain_is_in_the_level_and_rate_in_the_length():
    same = "Well, I really do not know what to say about it"
    call = simulate.render(
        scene(ada(same), ada(same, gain_db=6, rate=1.25), ada(same, gain_db=-4, rate=0.8))
    )
    plain, loud, soft = call.truth.turns
    levels = [
        level_db(call, 1, union(w for w in call.truth.words if w.turn == turn.index))
        for turn in (plain, loud, soft)
    ]
    assert levels == pytest.approx([-24, -18, -28], abs=0.2)
    assert plain.duration_s / loud.duration_s == pytest.approx(1.25, rel=0.04)
    assert plain.duration_s / soft.duration_s == pytest.approx(0.8, rel=0.04)


def median_pitch_hz(said: sounds.Synthesized) -> float:
    """By the highest peak of the autocorrelation of 48 ms frames, 80-400 Hz."""
    size = 768
    inside = np.concatenate(
        [said.samples[round(w.start_s * 16_000) : round(w.end_s * 16_000)] for w in said.words]
    )
    frames = inside[: inside.size // size * size].reshape(-1, size)
    frames = frames[np.sqrt((frames**2).mean(axis=1)) > 0.3 * np.sqrt((inside**2).mean())]
    correlation = np.fft.irfft(np.abs(np.fft.rfft(frames, 2 * size)) ** 2)
    correlation = correlation[:, :size] / np.arange(size, 0, -1)
    shortest, longest = 16_000 // 400, 16_000 // 80
    lags = shortest + correlation[:, shortest:longest].argmax(axis=1)
    return float(np.median(16_000 / lags))


@needs_flite
@pytest.mark.parametrize("shift_st", [-3.0, 4.0])
def test_pitch_shift_is_in_the_voice(shift_st: float):
    """Measured before the telephone band takes the fundamental away."""
    plain, shifted = (
        sounds.speak(LONG, sounds.VOICES["slt"], 1.0, 172 * 2 ** (st / 12)) for st in (0, shift_st)
    )
    ratio = median_pitch_hz(shifted) / median_pitch_hz(plain)
    assert median_pitch_hz(plain) == pytest.approx(172, rel=0.05)
    assert 12 * np.log2(ratio) == pytest.approx(shift_st, abs=0.5)


@needs_flite
def test_a_call_that_clips_is_refused():
    with pytest.raises(ScriptError, match=r"clips by \d+\.\d dB; lower sound\.level_db"):
        simulate.render(scene(ada("Hello.", gain_db=12), level_db=-12))


@needs_flite
def test_mu_law_leaves_at_most_256_levels_near_the_original():
    lines = (ada("Good morning, how are you?"),)
    plain, companded = (simulate.render(scene(*lines, format=f)) for f in ("wav", "wav-mulaw"))
    assert len(np.unique(companded.pcm)) <= 256
    error = companded.pcm.astype(float) - plain.pcm
    snr_db = 10 * np.log10(np.mean(plain.pcm.astype(float) ** 2) / np.mean(error**2))
    assert 25 < snr_db < 45


@needs_flite
def test_layouts_and_mono_mix():
    lines = (ada("Good morning."), cleo("Hello there."))
    stereo = simulate.render(scene(*lines))
    mono = simulate.mono_mix(stereo)
    assert mono.pcm.shape == (1, stereo.pcm.shape[1])
    assert np.array_equal(mono.pcm[0], stereo.pcm[0] + stereo.pcm[1])
    assert mono.truth.turns == stereo.truth.turns
    assert [stereo.truth.party_of(n) for n in ("Cleo", "Ada")] == ["A", "B"]
    assert [mono.truth.party_of(n) for n in ("Ada", "Cleo")] == ["A", "B"]
    assert stereo.metadata.channel_roles == {"0": "customer", "1": "agent"}
    assert mono.metadata.channel_roles == {}
    fake = simulate.render(scene(*lines, layout="fake_stereo"))
    assert fake.pcm.shape == stereo.pcm.shape
    assert np.corrcoef(fake.pcm)[0, 1] > 0.98
    assert simulate.render(scene(*lines, layout="mono")).truth.speakers == mono.truth.speakers


@needs_flite
def test_crosstalk_is_as_quiet_as_asked():
    call = simulate.render(scene(ada("Good morning, how are you?"), crosstalk_db=-20, snr_db=60))
    words = union(call.truth.words)
    assert level_db(call, 0, words) == pytest.approx(level_db(call, 1, words) - 20, abs=0.2)


@needs_flite
def test_swapping_channels_swaps_parties_and_nothing_else():
    lines = (ada("Good morning."), cleo("Hello there."))
    swapped = {n: s.model_copy(update={"channel": 1 - s.channel}) for n, s in SPEAKERS.items()}
    one, two = (
        simulate.render(scene(*lines, speakers=speakers)).truth for speakers in (SPEAKERS, swapped)
    )
    assert one.turns == two.turns
    other = {"A": "B", "B": "A"}
    for a, b in zip(
        simulate.true_speech(one).segments, simulate.true_speech(two).segments, strict=True
    ):
        assert replace(a, party=other[a.party]) == b
    roles = [simulate.true_conversation(truth) for truth in (one, two)]
    assert roles[0].party_of(RoleName.AGENT) == "B"
    assert roles[1].party_of(RoleName.AGENT) == "A"


@needs_flite
def test_joined_calls_keep_every_word_in_its_place():
    call = simulate.render(
        scene(
            cleo(LONG, cue="fear_anxiety"),
            ada("Right.", backchannel=True, at_word=5),
            ada("That is hard.", answers="affective"),
        )
    )
    joined = simulate.join([call, call], "long")
    assert joined.metadata.call_id == joined.truth.call_id == "long"
    assert np.array_equal(joined.pcm, np.concatenate([call.pcm, call.pcm], axis=1))
    assert joined.truth.duration_s == 2 * call.truth.duration_s
    first, second = joined.truth.cues
    assert second.start_s - first.start_s == pytest.approx(call.truth.duration_s)
    assert joined.truth.turns[second.answer_turn or 0].text == "That is hard."
    assert [t.index for t in joined.truth.turns] == list(range(6))
    assert joined.truth.overlaps[1].holder_turn == 3
    with pytest.raises(ScriptError, match="one layout"):
        simulate.join([call, simulate.mono_mix(call)], "mixed")


@needs_flite
def test_a_script_in_other_voices_says_the_same() -> None:
    """Customers' voices alone differ; the script raises the customer's pitch, which one cannot."""
    script = Path(__file__).parents[1] / "audio" / "samples" / "billing-dispute.toml"
    found = list(simulate.render_in_voices(script))
    assert [c.metadata.extra["customer_voice"] for c in found] == ["slt", "rms", "awb"]
    assert [c.truth.call_id.split(".")[1] for c in found] == ["slt", "rms", "awb"]
    said = [[(w.speaker, w.text) for w in c.truth.words] for c in found]
    assert said[0] == said[1] == said[2]
    assert all(c.truth.layout == "stereo" for c in found)
    assert {s.party for s in simulate.true_speech(found[0].truth).segments} == {"A", "B"}
    assert len({c.pcm.shape[1] for c in found}) == 3
