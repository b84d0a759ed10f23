"""One call's words, from a recogniser that nobody shares."""

from warmline.models.engines import Engines
from warmline.recordings.sound import Sound
from warmline.settings import WordSettings
from warmline.values import ChannelLayout, Speech, Transcript
from warmline.words import SpeechToTranscribe
from warmline.words import transcribe as transcribe_calls


def transcribe(
    sound: Sound,
    layout: ChannelLayout,
    speech: Speech,
    settings: WordSettings,
    engines: Engines,
    language: str | None = None,
) -> Transcript:
    call = SpeechToTranscribe(sound, layout, speech, language)
    (found,) = transcribe_calls([call], settings, engines)
    if isinstance(found, Exception):
        raise found
    return found.transcript
