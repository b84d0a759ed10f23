"""What is not said of a call whose parties could not be told apart well enough.

Which party said what is then a guess: measures of one party, and everything that says "the agent"
or "the customer", lose their value and gain the reason. Measures of the call as a whole stay.
"""

from dataclasses import replace

from warmline.analysis import Empathy, Floor, Prosody
from warmline.metrics import unsaid, withhold_parties
from warmline.values import SpeakerSource, Speech


def doubt_about_parties(speech: Speech, min_confidence: float) -> str | None:
    """Why the measures of single parties are withheld; None when they can be said."""
    if speech.source is SpeakerSource.CHANNEL or speech.confidence >= min_confidence:
        return None
    return (
        f"parties were told apart with a confidence of {speech.confidence:.2f}, "
        f"below speech.min_confidence = {min_confidence:.2f}"
    )


def withhold_prosody(prosody: Prosody, doubt: str | None) -> Prosody:
    """The same prosody without the measures that name a party, if there is a doubt."""
    if doubt is None:
        return prosody
    return replace(prosody, metrics=withhold_parties(prosody.metrics, doubt))


def withhold_floor(floor: Floor, doubt: str | None) -> Floor:
    """The same floor without the measures that name a party, if there is a doubt."""
    if doubt is None:
        return floor
    return replace(floor, metrics=withhold_parties(floor.metrics, doubt))


def withhold_empathy(empathy: Empathy, doubt: str | None) -> Empathy:
    """No ledger, and none of its measures: all of them tell the agent from the customer."""
    if doubt is None:
        return empathy
    return Empathy(
        moments=empathy.moments,
        opportunities=(),
        quotes=(),
        metrics=tuple(unsaid(m.name, m.party, doubt) for m in empathy.metrics),
        no_ledger_reason=doubt,
        feelings=empathy.feelings,
    )
