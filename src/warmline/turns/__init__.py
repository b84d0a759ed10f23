"""Turns and roles: the call as a conversation between parties."""

from dataclasses import replace

from warmline.settings import TurnSettings
from warmline.turns.build import build_turns
from warmline.turns.roles import ReadTurns, assign_roles
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    Conversation,
    RoleName,
    Speech,
    Transcript,
)

__all__ = ["assign_roles", "build_turns", "converse"]


def converse(
    speech: Speech,
    transcript: Transcript,
    layout: ChannelLayout,
    metadata: CallMetadata,
    settings: TurnSettings,
    read: ReadTurns | None = None,
) -> Conversation:
    """Return the call's turns, each with the role of its party; roles may be unknown.

    `read` is asked about two parties whose roles the metadata do not tell.
    """
    turns = build_turns(speech, transcript, settings)
    roles = assign_roles(
        turns, speech.parties, layout, metadata, settings, transcript.language, read
    )
    names = {role.party: role.name for role in roles}
    return Conversation(
        roles, tuple(replace(t, role=names.get(t.party, RoleName.UNKNOWN)) for t in turns)
    )
