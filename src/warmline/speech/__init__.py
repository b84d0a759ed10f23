"""Voice activity, and telling the parties of a call apart."""

from warmline.engines import Engines
from warmline.recordings.sound import Sound
from warmline.settings import SpeechSettings
from warmline.speech.diarize import by_channel, by_voice
from warmline.telling import Tell, nobody
from warmline.values import ChannelLayout, Speech

__all__ = ["listen"]


def listen(
    sound: Sound,
    layout: ChannelLayout,
    settings: SpeechSettings,
    engines: Engines,
    tell: Tell = nobody,
) -> Speech:
    """Who speaks when.

    A party per channel when the channels are separate, else a party per voice. A recording
    without speech has no segments and a reason that says what was there instead. `tell` hears how
    far it has come.
    """
    if layout.kind == "stereo":
        return by_channel(sound, settings, engines, tell)
    return by_voice(sound, settings, engines, tell)
