"""One call's words, from a recogniser that nobody shares."""

from warmline.engines import Engines
from warmline.recordings.sound import Sound
from warmline.settings import WordSettings
from warmline.values import ChannelLayout, Speech, Transcript
from warmline.words import recogniser, together, transcription


def transcribe(
    sound: Sound,
    layout: ChannelLayout,
    speech: Speech,
    settings: WordSettings,
    engines: Engines,
    language: str | None = None,
) -> Transcript:
    asking = transcription(sound, layout, speech, settings, language)
    ((_, said),) = together([asking], lambda: recogniser(settings, engines))
    return said
