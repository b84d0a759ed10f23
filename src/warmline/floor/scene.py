"""What the floor metrics are made of, gathered once."""

from dataclasses import dataclass

from warmline.analysis import Backchannel, FloorTransfer, Overlap, Silence
from warmline.floor.backchannels import backchannels_of
from warmline.floor.cooperation import said_by
from warmline.floor.heard import heard_turns
from warmline.floor.overlaps import overlaps_of
from warmline.floor.silences import silences_of
from warmline.floor.transfers import transfers_of
from warmline.settings import FloorSettings
from warmline.spans import union
from warmline.values import Conversation, RoleName, Span, Speech, Transcript, Turn


@dataclass(frozen=True)
class Scene:
    """A call's floor. `talk` has the speech of every party, `people` those who are no recording."""

    speech: Speech
    transcript: Transcript
    conversation: Conversation
    duration_s: float
    people: tuple[str, ...]
    talk: dict[str, tuple[Span, ...]]
    turns: tuple[Turn, ...]
    overlaps: tuple[Overlap, ...]
    transfers: tuple[FloorTransfer, ...]
    silences: tuple[Silence, ...]
    backchannels: tuple[Backchannel, ...]

    def others_talk(self, party: str) -> list[Span]:
        """Where any other person speaks."""
        return union(s for p in self.people if p != party for s in self.talk[p])


def scene_of(
    speech: Speech,
    transcript: Transcript,
    conversation: Conversation,
    duration_s: float,
    settings: FloorSettings,
) -> Scene:
    """Overlaps, transfers, silences and backchannels of a call.

    A recorded voice (IVR) breaks silence, but holds no conversation: talking over it is nothing.
    """
    talk = {p: tuple(union(s for s in speech.segments if s.party == p)) for p in speech.parties}
    people = tuple(p for p in talk if conversation.role_of(p) is not RoleName.IVR)
    live = {p: talk[p] for p in people}
    turns = heard_turns(conversation.turns, live)
    said = {p: said_by(p, transcript) for p in people}
    # The word lists are English; an unnamed language is a transcript made by hand.
    is_english = transcript.language in (None, "en")
    return Scene(
        speech,
        transcript,
        conversation,
        duration_s,
        people,
        talk,
        turns,
        overlaps_of(live, turns, said if is_english else None, settings),
        transfers_of(turns),
        silences_of(speech.segments, speech.tones, duration_s, settings),
        backchannels_of(live, turns, said, words_refuse=is_english, settings=settings),
    )
