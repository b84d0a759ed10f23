"""Render scenes of service calls: recordings with ground truth, and a customer's experience."""

from warmline.simulate.rendering import (
    TRUTH_FOLDER,
    SimulatedCall,
    Written,
    join,
    mono_mix,
    read_script,
    render,
    render_in_voices,
    render_script,
    write,
)
from warmline.simulate.scene import Call, Line, LineSound, Scene, SimulatedSpeaker
from warmline.simulate.truth import (
    Truth,
    load_truth,
    true_conversation,
    true_speech,
    true_transcript,
)

__all__ = [
    "TRUTH_FOLDER",
    "Call",
    "Line",
    "LineSound",
    "Scene",
    "SimulatedCall",
    "SimulatedSpeaker",
    "Truth",
    "Written",
    "join",
    "load_truth",
    "mono_mix",
    "read_script",
    "render",
    "render_in_voices",
    "render_script",
    "true_conversation",
    "true_speech",
    "true_transcript",
    "write",
]
