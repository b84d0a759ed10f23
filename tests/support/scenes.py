"""Scenes for tests, and whether they can be played here."""

import numpy as np
import pytest

from warmline.errors import SynthesisError
from warmline.simulate import (
    Call,
    Line,
    LineSound,
    Scene,
    SimulatedCall,
    SimulatedSpeaker,
    sounds,
)
from warmline.values import Span


def has_flite() -> bool:
    try:
        sounds.speak("yes", sounds.VOICES["slt"], 1.0, None)
    except SynthesisError:
        return False
    return True


needs_flite = pytest.mark.skipif(
    not has_flite(), reason="the speech synthesizer is missing: apt-get install flite"
)

SPEAKERS = {
    "Cleo": SimulatedSpeaker(role="customer", channel=0, voice="awb"),
    "Ada": SimulatedSpeaker(role="agent", channel=1, voice="slt"),
}

LONG = "I have waited for my parcel since Monday and nobody at all could tell me where it is today"

OBJECTION = "No please let me finish what I wanted to say to you"


def scene(*lines: Line, speakers: dict[str, SimulatedSpeaker] = SPEAKERS, **sound: object) -> Scene:
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
