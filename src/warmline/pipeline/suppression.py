"""Suppress measures of a call whose parties could not be told apart well enough.

Which party said what is then a guess: measures of one party, and everything about "the agent" or
"the customer", lose their value and gain the reason. Measures of the call as a whole stay.
"""

from dataclasses import replace

from warmline.analysis import Empathy, Floor, Prosody
from warmline.metrics import missing_metric, suppress_parties
from warmline.values import ChannelLayout, SpeakerSource, Speech

_OF_ONE_PARTY = {"talk_s", "turns", "words"}


def doubt_about_parties(speech: Speech, min_confidence: float) -> str | None:
    """Return why party-level measures are suppressed; None when they need not be."""
    if speech.confidence >= min_confidence:
        return None
    if speech.source is SpeakerSource.CHANNEL:
        return (
            f"the other party's voice on a channel could not be told from its own: confidence "
            f"{speech.confidence:.2f}, below speech.min_confidence = {min_confidence:.2f}"
        )
    return (
        f"parties were told apart with a confidence of {speech.confidence:.2f}, "
        f"below speech.min_confidence = {min_confidence:.2f}"
    )


def suppress_prosody(prosody: Prosody, doubt: str | None) -> Prosody:
    """Return the prosody without the measures that name a party, if there is a doubt."""
    if doubt is None:
        return prosody
    return replace(prosody, metrics=suppress_parties(prosody.metrics, doubt))


def missing_party(speech: Speech, layout: ChannelLayout) -> str | None:
    """Return why measures of two parties are missing if only one channel has a voice."""
    speaking = {segment.party for segment in speech.segments}
    if layout.channel_count == 1 or len(speaking) != 1:
        return None
    return f"only one party was recorded: {layout.reason}"


def suppress_floor(floor: Floor, doubt: str | None, missing: str | None = None) -> Floor:
    """Return the floor without the measures that name a party, if there is a doubt.

    Where a party is missing, only how much the other one speaks is kept.
    """
    if doubt is None and missing is None:
        return floor
    if missing is None:
        return replace(floor, metrics=suppress_parties(floor.metrics, doubt or ""))
    silent = {m.party for m in floor.metrics if m.name == "talk_s" and not m.value}
    return replace(
        floor,
        metrics=tuple(
            m
            if doubt is None and m.name in _OF_ONE_PARTY and m.party not in silent
            else missing_metric(m.name, m.party, doubt or missing)
            for m in floor.metrics
        ),
    )


def suppress_empathy(empathy: Empathy, doubt: str | None) -> Empathy:
    """Return an empty ledger with missing measures: all tell the agent from the customer."""
    if doubt is None:
        return empathy
    return Empathy(
        moments=empathy.moments,
        opportunities=(),
        quotes=(),
        metrics=tuple(missing_metric(m.name, m.party, doubt) for m in empathy.metrics),
        no_ledger_reason=doubt,
        feelings=empathy.feelings,
    )
