"""The sample calls that ship: what their truth says is in their sound. Needs no synthesizer."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from warmline.files import folder
from warmline.recordings import find_recordings
from warmline.recordings.metadata import read_metadata
from warmline.recordings.sound import Sound, decode
from warmline.settings import Settings
from warmline.simulate import TRUTH_FOLDER, Scene, Truth, load_truth, read_script
from warmline.values import (
    Span,
    gaps,
    intersect,
    subtract,
    union,
)

SAMPLES = folder("audio") / "samples"
SCRIPTS = sorted(SAMPLES.glob("*.toml"))
SETTINGS = Settings().recordings
GUARD_S = 0.06
"""Sound rings on this long in filters and codecs; stretches nearer to speech are not silence."""


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return {path.stem: read_script(path) for path in SCRIPTS}


@pytest.fixture(scope="module")
def truths() -> dict[str, Truth]:
    return {path.stem: load_truth(SAMPLES / TRUTH_FOLDER / f"{path.stem}.json") for path in SCRIPTS}


@pytest.fixture(scope="module")
def sounds() -> dict[str, Sound]:
    return {
        path.stem: decode(path, SETTINGS)
        for path in find_recordings([SAMPLES], SETTINGS).recordings
    }


def level_db(sound: Sound, channel: int, spans: list[Span]) -> float:
    inside = np.concatenate([sound.channel(channel, s.start_s, s.end_s) for s in spans])
    return float(10 * np.log10(np.mean(inside.astype(np.float64) ** 2) + 1e-12))


def with_guard(spans: list[Span]) -> list[Span]:
    return [Span(s.start_s - GUARD_S, s.end_s + GUARD_S) for s in spans]


def channels_of(truth: Truth) -> dict[int, list[str]]:
    if truth.layout != "stereo":
        return {0: [s.name for s in truth.speakers]}
    return {c: [s.name for s in truth.speakers if s.channel == c] for c in (0, 1)}


def holds(truth: Truth) -> list[Span]:
    return [s for s in truth.silences if s.kind == "hold"]


def test_every_script_has_its_recording_metadata_and_truth(scenes, truths, sounds):
    assert len(SCRIPTS) >= 8
    assert set(sounds) == set(scenes) == set(truths)
    assert sum(p.stat().st_size for p in SAMPLES.rglob("*") if p.is_file()) < 8_200_000


def test_the_set_has_what_calls_are_like(scenes, truths, sounds):
    assert {s.sound.layout for s in scenes.values()} == {"stereo", "mono"}
    assert {s.codec for s in sounds.values()} >= {"pcm_mulaw", "pcm_s16le", "flac"}
    assert all(30 <= sound.duration_s <= 120 for sound in sounds.values())
    overlaps = [o for t in truths.values() for o in t.overlaps]
    kinds = {(o.kind, o.successful, o.cooperative) for o in overlaps}
    assert kinds >= {
        ("interruption", True, False),
        ("interruption", False, False),
        ("interruption", True, True),
        ("backchannel", None, None),
        ("terminal_overlap", None, None),
    }
    cues = [c for t in truths.values() for c in t.cues]
    assert {c.kind for c in cues} == {
        "fear_anxiety",
        "anger_frustration",
        "sadness_disappointment",
        "confusion_powerlessness",
    }
    assert {c.answer for c in cues} >= {
        *("ignored", "dismissed", "problem_solved_only", "attentive", "affective", "cognitive"),
    }
    moments = {(m.kind, m.label) for t in truths.values() for m in t.moments}
    assert ("offer", "misplaced") in moments
    assert {k for k, _ in moments} >= {"reask", "apology", "repeat_contact", "transfer"}
    dead = [s.duration_s for t in truths.values() for s in t.silences if s.kind == "dead_air"]
    assert any(2 <= d < 5 for d in dead)
    assert any(d >= 5 for d in dead)
    assert any(holds(t) for t in truths.values())


def test_agents_have_several_calls_in_two_teams_on_different_days(scenes):
    calls = [s.call for s in scenes.values()]
    days = {(c.agent_id, c.started_at.date()) for c in calls if c.started_at}
    agents = [agent for agent, _ in days]
    assert all(agents.count(agent) >= 2 for agent in agents)
    assert len({c.team for c in calls}) == 2


@pytest.mark.parametrize("name", [p.stem for p in SCRIPTS])
def test_metadata_are_read_back(name, scenes):
    path = next(p for p in find_recordings([SAMPLES], SETTINGS).recordings if p.stem == name)
    scene, metadata = scenes[name], read_metadata(path, SETTINGS, None)
    assert metadata.is_simulated
    assert metadata.source == "sidecar"
    assert set(metadata.extra) == {"title"}
    for field in ("call_id", "agent_id", "team", "queue", "customer_id", "direction", "reason"):
        assert getattr(metadata, field) == getattr(scene.call, field)
    assert metadata.started_at == scene.call.started_at
    if scene.sound.layout == "stereo" and scene.call.tells_roles:
        by_channel = {str(s.channel): s.role for s in scene.speakers.values()}
        assert metadata.channel_roles == by_channel
    else:
        assert metadata.channel_roles == {}


@pytest.mark.parametrize("name", [p.stem for p in SCRIPTS])
def test_words_are_the_script_in_order(name, scenes, truths):
    truth = truths[name]
    lines = [line for line in scenes[name].lines if line.text]
    said = sorted(truth.turns, key=lambda t: t.start_s)
    assert sorted(line.text.split()[0] for line in lines) == sorted(
        turn.text.split()[0] for turn in said
    )
    cut = {o.holder_turn for o in truth.overlaps if o.successful}
    whole = {turn.text for turn in said if turn.index not in cut}
    assert whole <= {" ".join(line.text.split()) for line in lines}
    for turn in said:
        words = [w for w in truth.words if w.turn == turn.index]
        assert " ".join(w.text for w in words) == turn.text
        assert words[0].start_s == pytest.approx(turn.start_s, abs=1e-3)
        assert words[-1].end_s == pytest.approx(turn.end_s, abs=1e-3)
        assert all(w.duration_s > 0.01 for w in words)
        assert all(a.end_s <= b.start_s + 1e-3 for a, b in pairwise(words))


@pytest.mark.parametrize("name", [p.stem for p in SCRIPTS])
def test_each_turn_is_heard_on_its_channel_and_nowhere_else(name, scenes, truths, sounds):
    scene, truth, sound = scenes[name], truths[name], sounds[name]
    noise_db = scene.sound.level_db - scene.sound.snr_db
    for channel, speakers in channels_of(truth).items():
        own = truth.speech(speakers)
        music = [] if truth.layout == "stereo" and channel == 0 else holds(truth)
        for turn in truth.turns:
            if turn.speaker in speakers:
                assert level_db(sound, channel, [turn]) > noise_db + 15
        others = truth.speech(s.name for s in truth.speakers if s.name not in speakers)
        elsewhere = gaps(with_guard([*own, *music]), 0, sound.duration_s)
        quiet = subtract(elsewhere, with_guard(others))
        assert level_db(sound, channel, quiet) == pytest.approx(noise_db, abs=1.5)
        leaked = intersect(elsewhere, others)
        if leaked:
            leak_db = scene.sound.level_db + (scene.sound.crosstalk_db or -200)
            assert level_db(sound, channel, leaked) < max(noise_db, leak_db) + 3


@pytest.mark.parametrize("name", [p.stem for p in SCRIPTS])
def test_gains_are_in_the_sound(name, scenes, truths, sounds):
    """A line spoken alone has the level that the script gives it, within 1 dB."""
    scene, truth, sound = scenes[name], truths[name], sounds[name]
    overlapped = {i for o in truth.overlaps for i in (o.holder_turn, o.entrant_turn)}
    for turn in truth.turns:
        if turn.index not in overlapped:
            channel = truth.speaker(turn.speaker).channel if truth.layout == "stereo" else 0
            words = union(w for w in truth.words if w.turn == turn.index)
            wanted_db = scene.sound.level_db + turn.gain_db
            assert level_db(sound, channel, words) == pytest.approx(wanted_db, abs=1.0)


@pytest.mark.parametrize("name", [p.stem for p in SCRIPTS])
def test_overlaps_are_what_they_are_called(name, truths):
    """Each planted overlap meets the definition of its class, computed from the words alone."""
    truth = truths[name]
    for overlap in truth.overlaps:
        holder = truth.speech([overlap.holder])
        entrant = truth.speech([overlap.entrant])
        held = next(s for s in holder if s.start_s <= overlap.start_s < s.end_s)
        entry = next(s for s in entrant if s.start_s == pytest.approx(overlap.start_s, abs=1e-3))
        goes_on_s = held.end_s - entry.start_s
        if overlap.kind == "backchannel":
            assert entry.duration_s <= 1.0
            assert entry.end_s <= held.end_s
            assert goes_on_s >= 0.3
        elif overlap.kind == "terminal_overlap":
            assert 0 < goes_on_s < 0.3
            assert entry.end_s > held.end_s
        else:
            assert min(goes_on_s, entry.duration_s) >= 0.3
            assert entry.duration_s >= 1.0
            assert overlap.successful == (goes_on_s <= 1.0)


@pytest.mark.parametrize("name", [p.stem for p in SCRIPTS])
def test_no_overlap_is_unplanted(name, truths):
    truth = truths[name]
    planted = [Span(o.start_s - 0.01, o.end_s + 0.01) for o in truth.overlaps]
    for speaker in truth.speakers:
        others = [s.name for s in truth.speakers if s.name != speaker.name]
        both = intersect(truth.speech([speaker.name], 0), truth.speech(others, 0))
        assert subtract(both, planted) == []


@pytest.mark.parametrize("name", [p.stem for p in SCRIPTS])
def test_silences_are_silent_and_complete(name, scenes, truths, sounds):
    scene, truth, sound = scenes[name], truths[name], sounds[name]
    noise_db = scene.sound.level_db - scene.sound.snr_db
    speech = truth.speech(s.name for s in truth.speakers)
    for silence in truth.silences:
        inside = Span(silence.start_s + GUARD_S, silence.end_s - GUARD_S)
        levels = [level_db(sound, c, [inside]) for c in range(sound.channel_count)]
        if silence.kind == "hold":
            assert max(levels) == pytest.approx(scene.sound.level_db, abs=2)
        else:
            assert max(levels) < noise_db + 2
    unplanted = subtract(gaps(speech, speech[0].start_s, speech[-1].end_s), truth.silences)
    assert all(s.duration_s < 2 for s in unplanted)
    assert all(s.duration_s >= 2 for s in truth.silences)


@pytest.mark.parametrize("name", [p.stem for p in SCRIPTS])
def test_cues_and_answers_are_quoted_from_what_was_said(name, truths):
    truth = truths[name]
    for cue in truth.cues:
        turn = truth.turns[cue.turn]
        assert turn.role == "customer"
        assert cue.text in turn.text
        said = [w.text for w in truth.words if w.turn == cue.turn and w.start_s >= cue.start_s]
        assert " ".join(said).startswith(cue.text)
        if cue.answer_turn is not None:
            answer = truth.turns[cue.answer_turn]
            assert answer.role == "agent"
            assert answer.start_s > cue.start_s
        else:
            assert cue.answer in ("ignored", None)


def test_a_wrong_truth_file_is_refused_by_field(tmp_path: Path):
    good = json.loads((SAMPLES / TRUTH_FOLDER / f"{SCRIPTS[0].stem}.json").read_text())
    good["turns"][0]["start_s"] = "soon"
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(good))
    with pytest.raises(Exception, match=r"truth\.json: turns\.0\.start_s"):
        load_truth(path)
