"""Scenes become calls: what is asked for is in the samples, and what cannot be is refused."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from warmline import simulate
from warmline.cli.simulate import simulate as command
from warmline.errors import SceneLineError, ScriptError, SynthesisError
from warmline.resources import folder
from warmline.simulate import Call, Line, LineSound, Scene, SimulatedCall, Speaker, Truth, flite
from warmline.spans import intersect, total_s, union
from warmline.values import RoleName, Span


def has_flite() -> bool:
    try:
        flite.speak("yes", flite.VOICES["slt"], 1.0, None)
    except SynthesisError:
        return False
    return True


needs_flite = pytest.mark.skipif(
    not has_flite(), reason="the speech synthesizer is missing: apt-get install flite"
)
SPEAKERS = {
    "Cleo": Speaker(role="customer", channel=0, voice="awb"),
    "Ada": Speaker(role="agent", channel=1, voice="slt"),
}
LONG = "I have waited for my parcel since Monday and nobody at all could tell me where it is today"
OBJECTION = "No please let me finish what I wanted to say to you"


def scene(*lines: Line, speakers: dict[str, Speaker] = SPEAKERS, **sound: object) -> Scene:
    return Scene(
        call=Call(call_id="test", title="A test"),
        sound=LineSound.model_validate({"snr_db": 50, **sound}),
        speakers=speakers,
        lines=lines,
    )


def cleo(text: str, **more: object) -> Line:
    return Line.model_validate({"speaker": "Cleo", "text": text, **more})


def ada(text: str, **more: object) -> Line:
    return Line.model_validate({"speaker": "Ada", "text": text, **more})


def level_db(call: SimulatedCall, channel: int, spans: list[Span]) -> float:
    inside = [
        call.pcm[channel, round(s.start_s * call.rate_hz) : round(s.end_s * call.rate_hz)]
        for s in spans
    ]
    return float(10 * np.log10(np.mean((np.concatenate(inside) / 32768.0) ** 2)))


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
@pytest.mark.parametrize("voice", flite.VOICES)
def test_words_are_in_order_inside_their_turn_and_heard(voice: str):
    speakers = {"Ada": Speaker(role="agent", channel=1, voice=voice, formants=1.06)}
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


def median_pitch_hz(said: flite.Spoken) -> float:
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
        flite.speak(LONG, flite.VOICES["slt"], 1.0, 172 * 2 ** (st / 12)) for st in (0, shift_st)
    )
    ratio = median_pitch_hz(shifted) / median_pitch_hz(plain)
    assert median_pitch_hz(plain) == pytest.approx(172, rel=0.05)
    assert 12 * np.log2(ratio) == pytest.approx(shift_st, abs=0.5)


@needs_flite
def test_a_successful_interruption_silences_the_holder():
    call = simulate.render(
        scene(cleo(LONG), ada(OBJECTION, interrupts="competitive", at_word=9, holder_stops_s=0.5))
    )
    (overlap,), (held, entrant) = call.truth.overlaps, call.truth.turns
    assert (overlap.kind, overlap.successful, overlap.cooperative) == ("interruption", True, False)
    assert (overlap.holder, overlap.entrant) == ("Cleo", "Ada")
    assert LONG.startswith(held.text)
    assert len(held.text) < len(LONG)
    ninth = [w for w in call.truth.words if w.speaker == "Cleo"][8]
    assert entrant.start_s == pytest.approx(ninth.start_s, abs=1e-3)
    assert 0.5 <= held.end_s - entrant.start_s <= 1.0
    assert level_db(call, 0, [Span(held.end_s + 0.03, call.truth.duration_s)]) < -70


@needs_flite
def test_an_interruption_that_fails_lets_the_holder_finish():
    call = simulate.render(scene(cleo(LONG), ada(OBJECTION, interrupts="cooperative", at_word=4)))
    (overlap,), (held, entrant) = call.truth.overlaps, call.truth.turns
    assert (overlap.successful, overlap.cooperative) == (False, True)
    assert held.text == LONG
    assert overlap.end_s == min(held.end_s, entrant.end_s)
    both = intersect(call.truth.speech(["Ada"]), call.truth.speech(["Cleo"]))
    assert total_s(both) == pytest.approx(overlap.duration_s, abs=0.25)


@needs_flite
def test_backchannels_and_terminal_overlaps_move_no_floor():
    call = simulate.render(
        scene(
            cleo(LONG),
            ada("Right.", backchannel=True, at_word=5),
            ada("Okay.", backchannel=True, at_word=12),
            ada("I will look for it at once.", pause_s=-0.2),
        )
    )
    assert [o.kind for o in call.truth.overlaps] == [
        *("backchannel", "backchannel", "terminal_overlap")
    ]
    assert {o.holder for o in call.truth.overlaps} == {"Cleo"}
    assert call.truth.overlaps[-1].duration_s == pytest.approx(0.2, abs=1e-3)
    assert [t.backchannel for t in call.truth.turns] == [False, True, True, False]


@needs_flite
def test_silence_is_told_from_hold_music():
    call = simulate.render(
        scene(
            ada("One moment."),
            Line(speaker="Ada", hold_music_s=4, pause_s=2.5),
            ada("Here I am.", pause_s=0.5),
            cleo("Good.", pause_s=1.9),
        )
    )
    assert [s.kind for s in call.truth.silences] == ["dead_air", "hold"]
    assert [s.duration_s for s in call.truth.silences] == pytest.approx([2.5, 4], abs=1e-3)
    hold = call.truth.silences[1]
    assert level_db(call, 1, [hold]) == pytest.approx(-24, abs=1)
    assert level_db(call, 0, [hold]) < -70


@needs_flite
def test_an_answer_counts_within_two_agent_turns_and_an_unanswered_cue_is_ignored():
    cue = {"cue": "fear_anxiety", "cue_words": "I am scared."}
    lines = (
        cleo("Hello. I am scared.", **cue),
        ada("Your name?"),
        cleo("Cleo."),
        ada("That is frightening.", answers="affective"),
        cleo("Yes, I am scared.", **cue),
        ada("Your address?"),
        cleo("Here."),
        ada("Which town?"),
        cleo("This one, and I am scared.", **cue),
    )
    answered, ignored, unheard = simulate.render(scene(*lines)).truth.cues
    assert (answered.answer, answered.answer_turn, answered.text) == (
        *("affective", 3),
        "I am scared.",
    )
    assert (ignored.answer, ignored.answer_turn) == ("ignored", None)
    assert (unheard.answer, unheard.answer_turn) == (None, None)
    with pytest.raises(SceneLineError, match="line 2 of the scene, answers: no cue"):
        simulate.render(scene(cleo("Hello."), ada("Poor you.", answers="affective")))


@needs_flite
def test_asking_twice_is_reasking_and_an_offer_has_its_label():
    truth = simulate.render(
        scene(
            ada("Your number?", asks="number"),
            cleo("Seven.", marks=("repeat_contact",)),
            ada("Sorry, your number?", asks="number", marks=("apology",)),
            ada("We have a new card.", offer="misplaced"),
        )
    ).truth
    assert [(m.turn, m.kind, m.label) for m in truth.moments] == [
        (0, "ask", "number"),
        (1, "repeat_contact", None),
        (2, "apology", None),
        (2, "reask", "number"),
        (3, "offer", "misplaced"),
    ]


HOLDER = cleo(LONG)


@needs_flite
@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        ([ada("Hello.", speaker="Bob")], "speaker", "'Bob' is not one of: Cleo, Ada"),
        ([ada("Hello.", cue="fear_anxiety")], "cue", "needs role customer; Ada has not"),
        ([cleo("A card?", offer="misplaced")], "offer", "needs role agent"),
        ([HOLDER, ada("Right.", backchannel=True, at_word=40)], "at_word", "has 19 words"),
        ([HOLDER, ada(LONG, backchannel=True, at_word=3)], "backchannel", "at most 1.0 s"),
        (
            [HOLDER, ada("Yes, I see.", backchannel=True, at_word=19)],
            "at_word",
            "reaches into a pause",
        ),
        ([HOLDER, ada("Stop.", interrupts="competitive", at_word=3)], "text", "at least 1.0 s"),
        (
            [HOLDER, ada(OBJECTION, interrupts="competitive", at_word=16)],
            "interrupts",
            "a success is within 1.0 s",
        ),
        (
            [HOLDER, ada(OBJECTION, interrupts="competitive", at_word=19, holder_stops_s=1)],
            "holder_stops_s",
            "interrupt earlier",
        ),
        ([HOLDER, ada("Right, I see.", pause_s=-0.8)], "pause_s", "needs at_word"),
        ([HOLDER, cleo("And so on.", pause_s=-0.2)], "pause_s", "nobody else has spoken"),
        ([ada("Hi."), HOLDER, cleo("And.", pause_s=-0.2)], "pause_s", "Cleo is still speaking"),
        ([ada("Right.", backchannel=True, at_word=1)], "at_word", "nobody else has spoken"),
        (
            [
                cleo(LONG, cue="fear_anxiety", cue_words="where it is today"),
                ada(OBJECTION, interrupts="competitive", at_word=9, holder_stops_s=0.5),
            ],
            "cue",
            "cuts it off",
        ),
    ],
)
def test_what_cannot_be_played_as_asked_is_refused(lines: list[Line], key: str, message: str):
    with pytest.raises(SceneLineError, match=message) as refused:
        simulate.render(scene(*lines))
    assert refused.value.key == key
    assert refused.value.index in (0, len(lines) - 1)


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
def test_a_perfect_listener_hands_on_what_was_said():
    truth: Truth = simulate.render(
        scene(
            cleo(LONG),
            ada("Right.", backchannel=True, at_word=5),
            Line(speaker="Ada", hold_music_s=2),
            ada("Here I am."),
        )
    ).truth
    speech = simulate.true_speech(truth)
    assert speech.parties == ("A", "B")
    assert {t.kind for t in speech.tones} == {"music"}
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(speech.exclusive))
    assert total_s(speech.exclusive) == pytest.approx(total_s(speech.segments))
    words = simulate.true_transcript(truth).words
    assert len(words) == len(LONG.split()) + 4
    turns = simulate.true_conversation(truth).turns
    assert [(t.index, t.party, t.role, t.word_count) for t in turns] == [
        (0, "A", RoleName.CUSTOMER, 19),
        (1, "B", RoleName.AGENT, 3),
    ]
    assert all(0 < t.speech_s <= t.duration_s + 1e-9 for t in turns)


@needs_flite
@pytest.mark.parametrize(
    ("file_format", "name"), [("flac", "flac"), ("wav", "wav"), ("wav-mulaw", "wav")]
)
def test_files_hold_the_samples_and_the_truth(tmp_path: Path, file_format: str, name: str):
    import av

    call = simulate.render(scene(ada("Good morning."), cleo("Hello."), format=file_format))
    files = simulate.write(call, tmp_path)
    assert files.audio == tmp_path / f"test.{name}"
    with av.open(str(files.audio), "r") as container:
        parts = [f.to_ndarray().reshape(-1) for f in container.decode(audio=0)]
        assert container.streams.audio[0].rate == 8000
    assert np.array_equal(np.concatenate(parts).reshape(-1, 2).T, call.pcm)
    truth = simulate.load_truth(files.truth)
    assert truth.overlaps == call.truth.overlaps
    assert [w.text for w in truth.words] == [w.text for w in call.truth.words]
    for kept, word in zip(truth.words, call.truth.words, strict=True):
        assert (kept.start_s, kept.end_s) == pytest.approx((word.start_s, word.end_s), abs=1e-4)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.*")}
    simulate.write(call, tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.*")} == before


@needs_flite
@pytest.mark.parametrize("sidecar", [None, "{}", "not json", '{"is_simulated": "true"}'])
def test_a_real_recording_is_never_overwritten(tmp_path: Path, sidecar: str | None):
    call = simulate.render(scene(ada("Good morning.")))
    real = tmp_path / "test.flac"
    real.write_bytes(b"a real call")
    if sidecar is not None:
        (tmp_path / "test.json").write_text(sidecar)
    with pytest.raises(ScriptError, match="not marked as simulated"):
        simulate.write(call, tmp_path)
    assert real.read_bytes() == b"a real call"


@needs_flite
def test_a_shipped_sample_is_what_its_script_says():
    samples = folder("audio") / "samples"
    played = simulate.render_script(samples / "feedback-call.toml").truth
    shipped = simulate.load_truth(samples / simulate.TRUTH_FOLDER / "feedback-call.json")
    assert [w.text for w in played.words] == [w.text for w in shipped.words]
    starts = [[w.start_s for w in truth.words] for truth in (played, shipped)]
    assert starts[0] == pytest.approx(starts[1], abs=0.01)
    assert [m.kind for m in played.moments] == [m.kind for m in shipped.moments]


@needs_flite
def test_the_command_tells_what_it_played_and_where_it_is(tmp_path: Path):
    script = tmp_path / "greeting.toml"
    script.write_text(
        '[call]\ntitle = "A greeting"\n[speakers.Cleo]\nrole = "customer"\nchannel = 0\n'
        'voice = "awb"\n[[line]]\nspeaker = "Cleo"\ntext = "I am so worried."\n'
        'cue = "fear_anxiety"\n'
    )
    app = typer.Typer()
    app.command()(command)
    told = CliRunner().invoke(app, [str(script), "--to", str(tmp_path / "calls"), "--json"])
    assert told.exit_code == 0
    (played,) = json.loads(told.stdout)
    assert (played["call_id"], played["title"]) == ("greeting", "A greeting")
    assert (played["events"]["cue"], played["events"]["answered"]) == (1, 0)
    assert all(Path(played[kind]).is_file() for kind in ("audio", "metadata", "truth"))
    table = CliRunner().invoke(app, [str(script), "--to", str(tmp_path / "calls")])
    assert "greeting" in table.stdout


def test_a_missing_engine_names_the_package():
    with pytest.raises(SynthesisError, match="apt-get install flite"):
        flite._load("libflite_that_is_not_there.so.1")
