"""Empathy: which feelings a customer showed, how the agent answered, and related measures."""

from collections.abc import Sequence

from warmline.analysis import (
    Empathy,
    Floor,
    Metric,
    MetricDefinition,
    Moment,
    TurnEmpathy,
    TurnFeelings,
    missing_metric,
)
from warmline.empathy.agent import AGENT_MEASURES, agent_metrics
from warmline.empathy.call import (
    CALL_MEASURES,
    CUSTOMER_MEASURES,
    call_metrics,
    customer_metrics,
    quotes,
)
from warmline.empathy.context import CallContext, no_ledger_reason
from warmline.empathy.ledger import opportunities, with_answers
from warmline.settings import EmpathySettings
from warmline.values import Conversation, RoleName

__all__ = ["DEFINITIONS", "measure"]

DEFINITIONS = (*CALL_MEASURES, *AGENT_MEASURES, *CUSTOMER_MEASURES)


def measure(
    conversation: Conversation,
    moments: Sequence[Moment],
    floor: Floor,
    settings: EmpathySettings,
    *,
    unread_reason: str | None = None,
    unheard_reason: str | None = "no model has read the words",
    feelings: Sequence[TurnFeelings] = (),
    agent_turns: Sequence[TurnEmpathy] = (),
) -> Empathy:
    """Return the ledger, the customer's own words, and every measure in `DEFINITIONS`.

    `moments` come from the language stage, `floor` has the holds that were heard. `unread_reason`
    says why the words could not be read at all (`language.unread_reason`), `unheard_reason` why no
    model read them; None when `moments` includes what models found. Without an agent, a customer or
    words there is no ledger but a reason, and what depends on it is missing for that reason.
    """
    reason = no_ledger_reason(conversation, unread_reason)
    rows = () if reason else opportunities(conversation, moments, settings, feelings)
    if reason is None:
        feelings = with_answers(feelings, conversation, moments, settings)
    scene = CallContext(
        conversation, tuple(moments), rows, floor, settings, unheard_reason, tuple(feelings)
    )
    return Empathy(
        moments=scene.moments,
        opportunities=rows,
        quotes=quotes(moments, settings),
        metrics=tuple(_all_unsaid(conversation, reason) if reason else _all_said(scene)),
        no_ledger_reason=reason,
        feelings=tuple(feelings),
        agent_turns=tuple(agent_turns),
    )


def _all_said(scene: CallContext) -> list[Metric]:
    metrics = call_metrics(scene)
    for party in scene.parties(RoleName.AGENT):
        metrics += agent_metrics(scene, party)
    for party in scene.parties(RoleName.CUSTOMER):
        metrics += customer_metrics(scene, party)
    return metrics


def _all_unsaid(conversation: Conversation, reason: str) -> list[Metric]:
    """Return every measure without a value; a party of unknown role could have been either."""
    metrics = [missing_metric(d.name, None, reason) for d in CALL_MEASURES]
    possible: dict[RoleName, tuple[MetricDefinition, ...]] = {
        RoleName.AGENT: AGENT_MEASURES,
        RoleName.CUSTOMER: CUSTOMER_MEASURES,
        RoleName.UNKNOWN: (*AGENT_MEASURES, *CUSTOMER_MEASURES),
    }
    for role in conversation.roles:
        metrics += [missing_metric(d.name, role.party, reason) for d in possible.get(role.name, ())]
    return metrics
