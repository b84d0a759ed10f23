"""How it was said: pitch, level, rate and pauses, relative to the speaker's own call."""

from warmline.prosody.definitions import DEFINITIONS
from warmline.prosody.measure import measure

__all__ = ["DEFINITIONS", "measure"]
