"""Voice activity, and telling the parties of a call apart."""

from dataclasses import replace

from warmline.models.engines import Engines
from warmline.processes import ProgressCallback, no_progress
from warmline.recordings.sound import Sound
from warmline.settings import SpeechSettings
from warmline.speech.diarize import by_channel, by_voice
from warmline.values import ChannelLayout, SpeakerSource, Speech

__all__ = ["listen", "live_channel"]


def listen(
    sound: Sound,
    layout: ChannelLayout,
    settings: SpeechSettings,
    engines: Engines,
    progress: ProgressCallback = no_progress,
) -> Speech:
    """Detect who speaks when.

    Separate channels make a party each; otherwise there is a party per voice. Where one of two
    channels carries no voice, the other is expected to hold one party, and the second party is
    there without speech. A recording without speech has no segments, and a reason that says what it
    contains instead. `progress` is called with the share that is done.
    """
    if layout.kind == "stereo":
        return by_channel(sound, settings, engines, progress)
    heard = by_voice(sound, settings, engines, progress, one_expected=layout.lacks_a_party)
    if layout.lacks_a_party and layout.channel_count == 2 and len(heard.parties) == 1:
        return replace(heard, parties=("A", "B"), reason=f"{heard.reason}; {layout.reason}")
    return heard


def live_channel(heard: Speech) -> int | None:
    """Return the place of the only channel with speech, where each party has a channel."""
    speaking = {segment.party for segment in heard.segments}
    if heard.source is not SpeakerSource.CHANNEL or len(speaking) != 1 or len(heard.parties) < 2:
        return None
    return heard.parties.index(speaking.pop())
