"""Empathy: which feelings a customer showed, how the agent answered, and related measures.

The measures of the call as a whole and of customers are here: the ledger's sums, its shape, and how
the call ended. Those of agents are in `empathy.agent`.
"""

from collections.abc import Iterable, Sequence

from warmline.analysis import (
    Empathy,
    Floor,
    Metric,
    MetricDefinition,
    Moment,
    Opportunity,
    Quote,
    TurnEmpathy,
    TurnFeelings,
    count,
    missing_metric,
    rate,
)
from warmline.empathy.agent import AGENT_MEASURES, agent_metrics
from warmline.empathy.ledger import (
    CLARK,
    CallContext,
    answered,
    counted,
    no_ledger_reason,
    opportunities,
    shared,
    with_answers,
)
from warmline.language.rulebook import CUE_LABELS, OFFERED_ACTION
from warmline.phrases import spoken_text
from warmline.settings import EmpathySettings
from warmline.values import Conversation, RoleName, Span

# Measured with the rules and models as they are; tests/test_language_*.py hold them to it.
_LEDGER = "Bylund & Makoul 2005; Hsu 2012"
_CUES = (
    "turns: sensitivity 0.57, specificity 0.94, precision 0.74 (English support chats, n 195, 46 "
    "with a feeling); precision 0.16, 0.33, 0.51, 0.70 where 2, 5, 10, 20 % have one"
)
_KINDS = f"{_CUES}; which feeling it is: no"
_EXPECTED = "calibration error 0.06: 45 expected, 46 heard (English support chats, n 195)"
_ANSWERED = "no; of detected opportunities: their sensitivity is 0.57"

_CALL_MEASURES = (
    counted(
        "call",
        "opportunities",
        "cues of a feeling in the customer's words; cues of one kind in one turn are one",
        _LEDGER,
        _CUES,
    ),
    *(
        counted("call", f"opportunities_{kind}", f"opportunities of {kind}", _LEDGER, _KINDS)
        for kind in CUE_LABELS
    ),
    counted(
        "call",
        "opportunities_expected",
        "turns of the customer with a feeling, as expected: the sum of turn_feelings.any_negative",
        _LEDGER,
        _EXPECTED,
    ),
    shared(
        "call",
        "answered_rate",
        "opportunities answered attentively, affectively or cognitively within the next "
        "empathy.answer_within_turns turns of the agent who heard them / opportunities after which "
        "that agent spoke",
        f"{_LEDGER}; {CLARK}",
        _ANSWERED,
    ),
    shared(
        "call",
        "next_step",
        "1 if an agent said what happens next, what is done for the customer, or when, or offered "
        "to do something, else 0",
    ),
    shared("call", "expectation_set", "1 if an agent said by when or how long, else 0"),
    shared("call", "resolution", "1 or 0 as either party last said that it is solved, or is not"),
    shared(
        "call",
        "silent_dissatisfaction",
        "1 if cues and friction did not fade in the customer's later half, nothing was solved or "
        "relieved after the last of them, and the customer neither complained nor was hostile",
    ),
    shared(
        "call",
        "warm_competent_warm",
        "agents' warm moments in the first and last empathy.edge_share of their words, and "
        "competent ones between / all warm and competent moments; 0.5 is no pattern",
        "Li, Packard & Berger 2024",
    ),
)

_WARM = ("affective", "apology", "formula")
_COMPETENT = (
    *("cognitive", "solution", "commitment", "ownership", "next_step", "expectation"),
    *("question_open", "question_closed"),
)
_FRICTION = ("friction_repeat", "friction_transfer", "friction_hold")
# Fewer moments than this have no shape.
_LEAST_SHAPE = 4


def _call_metrics(scene: CallContext) -> list[Metric]:
    """Return every measure of a call that has a ledger."""
    coverage, confidence = scene.coverage(), scene.confidence
    rows = scene.opportunities
    by_kind = [
        count(
            f"opportunities_{kind}",
            None,
            [o for o in rows if o.kind == kind],
            coverage=coverage,
            confidence=confidence,
        )
        for kind in CUE_LABELS
    ]
    return [
        count("opportunities", None, rows, coverage=coverage, confidence=confidence),
        *by_kind,
        _expected(scene),
        _answered_rate(scene),
        _next_step(scene),
        _said_at_all(scene, "expectation_set", scene.by_agents("expectation")),
        _resolution(scene),
        _silent_dissatisfaction(scene),
        _warm_competent_warm(scene),
    ]


def _expected(scene: CallContext) -> Metric:
    """Return the expected number of turns with a feeling: the sum of their probabilities."""
    name = "opportunities_expected"
    if not scene.feelings:
        return missing_metric(
            name, None, scene.unheard_reason or "no model read a turn of the customer"
        )
    total = sum(f.any_negative for f in scene.feelings)
    return Metric(
        name,
        None,
        total,
        numerator=total,
        observations=len(scene.feelings),
        coverage=scene.coverage(),
        confidence=scene.confidence,
    )


def _answered_rate(scene: CallContext) -> Metric:
    answerable = [o for o in scene.opportunities if o.answer is not None]
    good = [o for o in answerable if answered(o)]
    no_cue = "the customer gave no cue of a feeling"
    return rate(
        "answered_rate",
        None,
        len(good),
        len(answerable),
        no_answer="no agent spoke after a cue" if scene.opportunities else no_cue,
        coverage=scene.coverage(),
        confidence=scene.confidence,
        evidence=_spans(good),
    )


def _next_step(scene: CallContext) -> Metric:
    """Return 1 if an agent said what comes next, or offered to do something, 0 if not."""
    found = scene.by_agents("next_step", "commitment", "expectation", "solution")
    # Of what solves it, only what the agent offers to do: the customer may be advised, too.
    said = [m for m in found if m.kind != "solution" or m.label == OFFERED_ACTION]
    return _said_at_all(scene, "next_step", said)


def _said_at_all(scene: CallContext, name: str, said: Sequence[Moment]) -> Metric:
    """Return 1 if an agent said something, 0 if not."""
    return _flag(scene, name, bool(said), said)


def _resolution(scene: CallContext) -> Metric:
    """Return 1 or 0 by what was said last about it; None if nothing was said."""
    found = scene.said("resolution")
    if not found:
        return missing_metric("resolution", None, "nobody said whether it was solved")
    return _flag(scene, "resolution", found[-1].label == "resolved", found[-1:])


def _silent_dissatisfaction(scene: CallContext) -> Metric:
    """Return 1 if feelings grew towards the end, nothing was solved, and nobody complained."""
    name = "silent_dissatisfaction"
    signs: list[Moment | Opportunity] = [*scene.opportunities, *scene.by_customers(*_FRICTION)]
    if not signs:
        return missing_metric(
            name, None, "the customer gave no cue: silence cannot be told from content"
        )
    last = max(signs, key=lambda s: s.start_s)
    eased = [
        m
        for m in scene.said("resolution", "relief")
        if (m.start_s >= last.start_s or m.turn_index == last.turn_index)
        and m.label != "unresolved"
    ]
    complained = scene.by_customers("complaint", "hostile")
    silent = not complained and not eased and _grew(scene, signs)
    return _flag(scene, name, silent, sorted(signs, key=lambda s: s.start_s))


def _grew(scene: CallContext, signs: Sequence[Moment | Opportunity]) -> bool:
    """Return whether at least half of the strength of all signs lies in the later half of the
    turns.
    """
    turns = [t.index for t in scene.turns_of(RoleName.CUSTOMER)]
    later = set(turns[len(turns) // 2 :])
    late = sum(s.strength for s in signs if s.turn_index in later)
    return 2 * late >= sum(s.strength for s in signs)


def _warm_competent_warm(scene: CallContext) -> Metric:
    """Return the share of warm moments that open or close the call, and of competent ones between.

    Half of the agents' words are edges and half are middle (`edge_share` 0.25), so that 0.5 is no
    pattern and 1 the full pattern.
    """
    name = "warm_competent_warm"
    zones = _edge_turns(scene)
    warm, competent = scene.by_agents(*_WARM), scene.by_agents(*_COMPETENT)
    if not warm or not competent or len(warm) + len(competent) < _LEAST_SHAPE:
        reason = f"fewer than {_LEAST_SHAPE} warm and competent moments, or none of one of them"
        return missing_metric(name, None, reason)
    fitting = [m for m in warm if m.turn_index in zones]
    fitting += [m for m in competent if m.turn_index not in zones]
    return rate(
        name,
        None,
        len(fitting),
        len(warm) + len(competent),
        no_answer="",
        coverage=scene.coverage(),
        confidence=scene.confidence,
        evidence=_spans(sorted(fitting, key=lambda m: m.start_s)),
    )


def _edge_turns(scene: CallContext) -> set[int]:
    """Return agents' turns whose middle word lies in the opening or closing share of words."""
    turns = scene.turns_of(RoleName.AGENT)
    lengths = [len(spoken_text(t.text).words) for t in turns]
    total, at, edges = sum(lengths), 0, set()
    for turn, length in zip(turns, lengths, strict=True):
        middle = (at + length / 2) / total if total else 0.0
        if not scene.settings.edge_share <= middle <= 1 - scene.settings.edge_share:
            edges.add(turn.index)
        at += length
    return edges


def _flag(
    scene: CallContext, name: str, is_so: bool, evidence: Sequence[Moment | Opportunity]
) -> Metric:
    """Return a yes or no as 1 of 1 or 0 of 1."""
    return rate(
        name,
        None,
        int(is_so),
        1,
        no_answer="",
        coverage=scene.coverage(),
        confidence=scene.confidence,
        evidence=_spans(evidence),
    )


def _spans(found: Iterable[Span]) -> tuple[Span, ...]:
    return tuple(Span(f.start_s, f.end_s) for f in found)


# Measures of what a customer experienced, and said about it.

_CUSTOMER_MEASURES = (
    counted("party", "friction_repeat", "statements of having to repeat: again, third time"),
    counted(
        "party",
        "friction_transfer",
        "transfers: those the customer tells of and those an agent announces",
    ),
    counted("party", "friction_hold", "waits: those the customer tells of and holds heard"),
    counted("party", "hostile", "insults, threats and swearing"),
    counted("party", "complaints", "open complaints and calls for a manager"),
    counted("party", "thanks", "thanks"),
    counted("party", "relief", "statements of relief"),
)

# Metric -> the kinds of the customer's own moments that it counts.
_COUNTED = {
    "friction_repeat": ("friction_repeat",),
    "hostile": ("hostile",),
    "thanks": ("thanks",),
    "relief": ("relief",),
    "complaints": ("complaint",),
}


def _customer_metrics(scene: CallContext, party: str) -> list[Metric]:
    """Return every measure of one customer party."""
    coverage, confidence = scene.coverage(party), scene.confidence
    transfers: list[Span] = [
        *scene.said("friction_transfer", party=party),
        *scene.by_agents("friction_transfer"),
    ]
    # An agent's "please hold" is counted by the hold that was heard after it, if there was one.
    holds: list[Span] = [
        *scene.said("friction_hold", party=party),
        *(s for s in scene.floor.silences if s.kind == "hold"),
    ]
    evidence: dict[str, list[Span]] = {
        name: [*scene.said(*kinds, party=party)] for name, kinds in _COUNTED.items()
    }
    evidence |= {"friction_transfer": transfers, "friction_hold": holds}
    return [
        count(
            name,
            party,
            sorted(spans, key=lambda s: s.start_s),
            coverage=coverage,
            confidence=confidence,
        )
        for name, spans in evidence.items()
    ]


# The customer's own words, verbatim, for reading.


def _quotes(moments: Sequence[Moment], settings: EmpathySettings) -> tuple[Quote, ...]:
    """Return the customer's sentences around cues, complaints, friction and relief, by time.

    `cue` is the feeling, or the kind of moment, that makes the sentence worth reading.
    """
    return tuple(
        Quote(m.start_s, m.end_s, m.turn_index, m.text, m.label or m.kind)
        for m in moments
        if m.kind == "quote"
        and m.role is RoleName.CUSTOMER
        and m.strength >= settings.min_cue_strength
    )


DEFINITIONS = (*_CALL_MEASURES, *AGENT_MEASURES, *_CUSTOMER_MEASURES)


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
        quotes=_quotes(moments, settings),
        metrics=tuple(_all_unsaid(conversation, reason) if reason else _all_said(scene)),
        no_ledger_reason=reason,
        feelings=tuple(feelings),
        agent_turns=tuple(agent_turns),
    )


def _all_said(scene: CallContext) -> list[Metric]:
    metrics = _call_metrics(scene)
    for party in scene.parties(RoleName.AGENT):
        metrics += agent_metrics(scene, party)
    for party in scene.parties(RoleName.CUSTOMER):
        metrics += _customer_metrics(scene, party)
    return metrics


def _all_unsaid(conversation: Conversation, reason: str) -> list[Metric]:
    """Return every measure without a value; a party of unknown role could have been either."""
    metrics = [missing_metric(d.name, None, reason) for d in _CALL_MEASURES]
    possible: dict[RoleName, tuple[MetricDefinition, ...]] = {
        RoleName.AGENT: AGENT_MEASURES,
        RoleName.CUSTOMER: _CUSTOMER_MEASURES,
        RoleName.UNKNOWN: (*AGENT_MEASURES, *_CUSTOMER_MEASURES),
    }
    for role in conversation.roles:
        metrics += [missing_metric(d.name, role.party, reason) for d in possible.get(role.name, ())]
    return metrics
