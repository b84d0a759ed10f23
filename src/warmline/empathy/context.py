"""What the empathy measures of one call share: roles, words, moments, the ledger, how to define."""

from collections.abc import Sequence
from dataclasses import dataclass

from warmline.analysis import Floor, MetricDefinition, Moment, Opportunity, TurnFeelings
from warmline.phrases import spoken_text
from warmline.settings import EmpathySettings
from warmline.statistics import precision_at, specificity_from
from warmline.turns.build import listens
from warmline.values import Conversation, RoleName, Turn

RULE = "rule with evidence"
CLARK = "Clark, Murfett, Rogers & Ang 2013"

# Version of what depends on the moments that are read: 2 since models read them beside more rules,
# 3 since agents' turns are read clause by clause, 4 since mere attention beside a dismissal is a
# dismissal, and prices by the month are offers, 5 since a multilingual model reads customers'
# turns, an answer follows its cue in time and is by the agent who heard it, and courtesy, holds and
# instructions are classed as such, 6 since that model is the mean of three, 7 since it reads a turn
# after what the agent said last.
MOMENTS_VERSION = 7


@dataclass(frozen=True)
class CallContext:
    """One call with its ledger. `opportunities` is empty where there is no ledger.

    `unheard_reason` says why no model has read the words; None when models have.
    """

    conversation: Conversation
    moments: tuple[Moment, ...]
    opportunities: tuple[Opportunity, ...]
    floor: Floor
    settings: EmpathySettings
    unheard_reason: str | None = None
    feelings: tuple[TurnFeelings, ...] = ()

    def parties(self, role: RoleName) -> list[str]:
        """Return the parties with a role; after a transfer there are two agents."""
        return [r.party for r in self.conversation.roles if r.name is role]

    def said(self, *kinds: str, party: str | None = None) -> list[Moment]:
        """Return moments of these kinds, of one party or of all, in order of time."""
        return [m for m in self.moments if m.kind in kinds and party in (None, m.party)]

    def by_agents(self, *kinds: str) -> list[Moment]:
        """Return moments of these kinds that agents said."""
        return [m for m in self.said(*kinds) if m.role is RoleName.AGENT]

    def by_customers(self, *kinds: str) -> list[Moment]:
        """Return moments of these kinds that customers said."""
        return [m for m in self.said(*kinds) if m.role is RoleName.CUSTOMER]

    def heard_by(self, party: str) -> list[Opportunity]:
        """Return the rows of the ledger whose cue this party was to answer."""
        return [o for o in self.opportunities if o.heard_by == party]

    def turns_of(self, role: RoleName, party: str | None = None) -> list[Turn]:
        """Return the turns with words of a role, or of one party with that role."""
        return [
            t
            for t in self.conversation.turns
            if t.role is role and party in (None, t.party) and t.text.strip()
        ]

    def speaking_turns(self, party: str) -> list[Turn]:
        """Return a party's turns in which it does more than listen."""
        return [
            t
            for t in self.conversation.turns
            if t.party == party and not listens(spoken_text(t.text))
        ]

    @property
    def confidence(self) -> float:
        """Return the lowest confidence of the roles that the measures rest on."""
        known = [
            r.confidence
            for r in self.conversation.roles
            if r.name in (RoleName.AGENT, RoleName.CUSTOMER)
        ]
        return min(known, default=0.0)

    def coverage(self, party: str | None = None) -> float:
        """Return the share of speech, in seconds, that was recognised as words."""
        turns = [t for t in self.conversation.turns if party in (None, t.party)]
        return _recognised_share(turns)


def no_ledger_reason(conversation: Conversation, unread_reason: str | None) -> str | None:
    """Return why there can be no ledger; None when there can."""
    if unread_reason is not None:
        return unread_reason
    if not any(t.text.strip() for t in conversation.turns):
        return "no words were recognised"
    names = {r.name for r in conversation.roles}
    missing = [n for n in (RoleName.AGENT, RoleName.CUSTOMER) if n not in names]
    if not missing:
        return None
    unknown = [r for r in conversation.roles if r.name is RoleName.UNKNOWN]
    if unknown:
        return f"which party is the {missing[0].value} is not known: {unknown[0].reason}"
    return f"no {missing[0].value} takes part in this call"


def _recognised_share(turns: Sequence[Turn]) -> float:
    total_s = sum(t.speech_s for t in turns)
    worded_s = sum(t.speech_s for t in turns if t.text.strip())
    return worded_s / total_s if total_s > 0 else 1.0


def precision_elsewhere(precision: float, recall: float, positive: int, n: int) -> str:
    """Return what the precision would be where fewer things are to be found than were there."""
    share = positive / n
    specificity = specificity_from(precision, recall, share)
    at = ", ".join(f"{precision_at(recall, specificity, p):.2f}" for p in (0.02, 0.05, 0.1, 0.2))
    return f"precision {at} where 2, 5, 10, 20 % are such, not {share:.0%}"


def counted(
    level: str, name: str, what: str, source: str = RULE, validated: str = "no"
) -> MetricDefinition:
    """Return the definition of a number of what was said."""
    what = f"number of {what}"
    return MetricDefinition(name, level, "count", what, source, MOMENTS_VERSION, validated)


def shared(
    level: str, name: str, what: str, source: str = RULE, validated: str = "no"
) -> MetricDefinition:
    """Return the definition of a share, or of a yes (1) or no (0)."""
    return MetricDefinition(name, level, "share", what, source, MOMENTS_VERSION, validated)
