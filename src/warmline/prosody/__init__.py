"""How it was said: pitch, level, rate and pauses, relative to the speaker's own call."""

from warmline.prosody.measure import DEFINITIONS, measure

__all__ = ["DEFINITIONS", "measure"]
