"""How each turn sounded, relative to the same speaker's own call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import PartyProsody, TurnProsody
from warmline.prosody.frames import THIRD_OCTAVES_HZ, PartyFrames, decibels
from warmline.settings import ProsodySettings
from warmline.values import Turn

Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class PartySound:
    """One party's frames and turns, with the level and rate of the turns that have one."""

    party: str
    frames: PartyFrames
    turns: tuple[Turn, ...]
    levels_db: Mapping[int, float]
    rates: Mapping[int, float]


def party_sound(
    party: str, frames: PartyFrames, turns: Sequence[Turn], settings: ProsodySettings
) -> PartySound:
    """Gather the data of a party's reference; keys are turn indices."""
    own = tuple(t for t in turns if t.party == party)
    levels_db = {t.index: db for t in own if (db := _level_db(t, frames, settings)) is not None}
    rates = {
        t.index: t.word_count / t.speech_s
        for t in own
        if t.speech_s >= settings.min_turn_s and t.word_count >= settings.min_rate_words
    }
    return PartySound(party, frames, own, levels_db, rates)


def party_prosody(sound: PartySound, settings: ProsodySettings) -> PartyProsody:
    """Return the party's reference over the whole call; None where there is too little speech."""
    levels, rates = list(sound.levels_db.values()), list(sound.rates.values())
    voiced = sound.frames.pitch_hz[sound.frames.pitch_hz > 0]
    has_pitch = len(voiced) * sound.frames.hop_s >= settings.min_reference_s
    return PartyProsody(
        party=sound.party,
        pitch_median_hz=float(np.median(voiced)) if has_pitch else None,
        pitch_iqr_st=_interquartile(12 * np.log2(voiced)) if has_pitch else None,
        level_median_db=float(np.median(levels)) if levels else None,
        level_iqr_db=_interquartile(levels) if len(levels) >= settings.min_turns else None,
        loudness_lufs=sound.frames.loudness_lufs,
        rate_median_words_per_s=float(np.median(rates)) if rates else None,
    )


def turn_prosody(
    turn: Turn, sound: PartySound, reference: PartyProsody, settings: ProsodySettings
) -> TurnProsody:
    """Return one turn's row; fields with too little speech are None."""
    part = sound.frames.within(turn)
    pitch_hz, active = sound.frames.pitch_hz[part], sound.frames.active[part]
    voiced = pitch_hz > 0
    above = None
    if voiced.sum() * sound.frames.hop_s >= settings.min_voiced_s and reference.pitch_median_hz:
        above = 12 * np.log2(pitch_hz[voiced] / reference.pitch_median_hz)
    level_db, usual_db = sound.levels_db.get(turn.index), reference.level_median_db
    paused = max(0.0, 1 - turn.speech_s / turn.duration_s) if turn.duration_s > 0 else None
    return TurnProsody(
        turn_index=turn.index,
        party=turn.party,
        pitch_median_st=None if above is None else float(np.median(above)),
        pitch_iqr_st=None if above is None else _interquartile(above),
        pitch_slope_st_per_s=(
            None if above is None else _slope(sound.frames.time_s[part][voiced], above)
        ),
        level_db=level_db,
        level_rel_db=None if level_db is None or usual_db is None else level_db - usual_db,
        rate_words_per_s=sound.rates.get(turn.index),
        pause_share=paused if turn.speech_s >= settings.min_turn_s else None,
        spectral_tilt_db_per_octave=(
            None if above is None else _tilt(sound.frames.bands[part][voiced])
        ),
        voiced_share=None if level_db is None else float(voiced[active].mean()),
    )


def _level_db(turn: Turn, frames: PartyFrames, settings: ProsodySettings) -> float | None:
    """Return the mean power of the turn's speech, without the bridged pauses."""
    part = frames.within(turn)
    active = frames.active[part]
    if active.sum() * frames.hop_s < settings.min_turn_s:
        return None
    return float(decibels(np.mean(frames.energy[part][active], keepdims=True))[0])


def _interquartile(values: Numbers | Sequence[float]) -> float:
    low, high = np.percentile(values, [25, 75])
    return float(high - low)


def _slope(at: Numbers, values: Numbers) -> float:
    """Return the least-squares slope of `values` over `at`."""
    centred = at - at.mean()
    return float(centred @ (values - values.mean()) / (centred @ centred))


def _tilt(bands: Numbers) -> float:
    """Return the slope of the turn's long-term average spectrum, 300 to 3400 Hz, dB per octave."""
    return _slope(np.log2(THIRD_OCTAVES_HZ), decibels(bands.mean(axis=0)))
