"""The floor room: who held the floor, who took it, and how long nobody did."""

from warmline.analysis import Floor
from warmline.floor.calls import call_metrics
from warmline.floor.parties import party_metrics
from warmline.floor.scene import scene_of
from warmline.settings import FloorSettings
from warmline.values import Conversation, Speech, Transcript


def measure(
    speech: Speech,
    transcript: Transcript,
    conversation: Conversation,
    duration_s: float,
    settings: FloorSettings,
) -> Floor:
    """All floor events and measures of a call of this length; see `DEFINITIONS`."""
    scene = scene_of(speech, transcript, conversation, duration_s, settings)
    metrics = [m for party in scene.talk for m in party_metrics(scene, party)]
    metrics += call_metrics(scene, settings)
    return Floor(
        scene.overlaps, scene.transfers, scene.silences, scene.backchannels, tuple(metrics)
    )
