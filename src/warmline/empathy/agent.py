"""Measures of an agent's words: behaviour, never the agent's feelings."""

from collections.abc import Iterable, Sequence

from warmline.analysis import (
    Metric,
    MetricDefinition,
    Moment,
    Opportunity,
    count,
    missing_metric,
    rate,
)
from warmline.empathy.ledger import (
    CLARK,
    SOLVED_ONLY,
    CallContext,
    answered,
    counted,
    precision_elsewhere,
    shared,
)
from warmline.language.rulebook import POLITENESS_LABELS
from warmline.language.windows import MECHANISMS
from warmline.phrases import spoken_text
from warmline.values import RoleName, Span

_POLITE = "Danescu-Niculescu-Mizil et al. 2013"
_AFFECT = (
    "rules: precision 0.80, recall 0.24 (emotional reactions, EPITOME, n 2487); "
    + precision_elsewhere(0.80, 0.24, 841, 2487)
)
_QUESTION = (
    "precision 0.83, recall 0.91 (AnnoMI, n 3534); open or closed right 0.77 (n 965); "
    + precision_elsewhere(0.83, 0.91, 1219, 3534)
)
_EPITOME = "Sharma, Miner, Atkins & Althoff 2020 (EPITOME)"
_LEVELS = {
    "emotional_reaction": "EPITOME, five folds by seeker, n 2487: macro-F1 of the levels 0.70",
    "interpretation": "EPITOME, five folds by seeker, n 2487: macro-F1 of the levels 0.56",
    "exploration": "EPITOME, five folds by seeker, n 2487: macro-F1 of the levels 0.68",
}
_REFLECTION = (
    "precision 0.68, recall 0.53 of utterances that reflect (AnnoMI, n 3534); "
    + precision_elsewhere(0.68, 0.53, 1076, 3534)
)
_INPUT = (
    "with confrontation and information as input: precision 0.43, recall 0.69 (AnnoMI, n 3534); "
    + precision_elsewhere(0.43, 0.69, 543, 3534)
)

AGENT_MEASURES = (
    counted(
        "party",
        "affective",
        "statements that name, share or acknowledge the customer's feeling",
        CLARK,
        _AFFECT,
    ),
    counted("party", "attentive", "statements that show having listened", CLARK),
    counted(
        "party",
        "cognitive",
        "statements that take the customer's view or explain cause or plan",
        CLARK,
    ),
    counted("party", "dismissive", "statements that wave the concern away"),
    counted("party", "formulas", "service formulas, which alone are no empathy"),
    counted("party", "apologies", "apologies", "Marinova, Singh & Singh 2018"),
    counted(
        "party",
        "late_apologies",
        "apologies after the agent's first empathy.opening_turns turns, of all apologies",
        "Marinova, Singh & Singh 2018",
    ),
    counted(
        "party",
        "questions_open",
        "questions that invite the customer's account",
        "MITI 4",
        _QUESTION,
    ),
    counted(
        "party",
        "questions_closed",
        "questions for a yes, a no or one fact",
        "MITI 4",
        _QUESTION,
    ),
    counted("party", "ownership", "statements that take responsibility"),
    counted("party", "commitments", "promises or reports of action", CLARK),
    counted("party", "offers", "turns with an offer of something for sale"),
    counted(
        "party",
        "misplaced_offers",
        "offers within empathy.offer_after_cue_turns turns of a cue not yet answered, after an "
        "open complaint, or in a call that asks for feedback, of all offers",
    ),
    counted("party", "reasks", "requests for an item that was asked for and answered before"),
    counted("party", "politeness", "strategies of politeness", _POLITE),
    *(
        counted("party", f"politeness_{label}", f"strategies of politeness: {label}", _POLITE)
        for label in POLITENESS_LABELS
    ),
    counted(
        "party",
        "premature_solutions",
        "cues heard by this agent that got a solution and nothing else, no question asked between, "
        "of all answerable ones",
    ),
    shared(
        "party",
        "empathy_to_action",
        "affective statements that a commitment follows within empathy.action_within_turns turns "
        "/ affective statements",
        CLARK,
    ),
    shared(
        "party",
        "first_person_share",
        "I, me, my, mine, myself / the agent's words, contractions opened, fillers left out",
        "Packard, Moore & McFerran 2018",
    ),
    counted(
        "party",
        "reflections",
        "statements that say back what the customer said or means; clauses that follow each other "
        "are one",
        "MITI 4; MISC 2.5",
        _REFLECTION,
    ),
    counted(
        "party",
        "advice",
        "statements of what the customer ought to do, also as a question; in a service call it is "
        "often what was asked for",
        "MISC 2.5 (advise, direct)",
        _INPUT,
    ),
    counted(
        "party",
        "confrontations",
        "statements that argue, blame, warn or shame",
        "MITI 4; MISC 2.5 (confront, warn)",
        _INPUT,
    ),
    counted(
        "party",
        "affirmations",
        "statements that appreciate what the customer does, is or brings",
        "MITI 4; MISC 2.5 (affirm)",
    ),
    MetricDefinition(
        "reflection_question_ratio",
        "party",
        "ratio",
        "reflections / questions",
        "MITI 4",
        2,
        _REFLECTION,
    ),
    *(
        MetricDefinition(
            f"{mechanism}_level",
            "party",
            "level",
            f"mean level of {what} over the agent's turns that say something: 0 none, 1 weak, "
            "2 strong; 0 where the model is not sure",
            _EPITOME,
            validated=_LEVELS[mechanism],
        )
        for mechanism, what in (
            ("emotional_reaction", "warmth, compassion or concern"),
            ("interpretation", "understanding of the customer"),
            ("exploration", "asking after feelings and experiences"),
        )
    ),
    MetricDefinition(
        "uptake",
        "party",
        "cosine",
        "mean over the agent's turns of how much closer a turn is in meaning to what the customer "
        "said right before it than to all else the customers said",
        "Demszky et al. 2021",
    ),
)


# What models find in an agent's turns: levels of EPITOME's mechanisms, and uptake.


LEVEL_OF = {"weak": 1, "strong": 2}
# The strength of a moment of uptake at chance level.
_CHANCE = 0.5


def mechanism_metrics(scene: CallContext, party: str) -> list[Metric]:
    """Return mean levels and mean uptake of an agent; missing where no model read the words."""
    if scene.unheard_reason is not None:
        names = (*(f"{mechanism}_level" for mechanism in MECHANISMS), "uptake")
        return [missing_metric(name, party, scene.unheard_reason) for name in names]
    return [*(_mean_level(scene, party, m) for m in MECHANISMS), _mean_uptake(scene, party)]


def _mean_level(scene: CallContext, party: str, mechanism: str) -> Metric:
    """Return the mean over all turns in which the agent does more than listen; no moment is level
    0.
    """
    found = scene.said(mechanism, party=party)
    return rate(
        f"{mechanism}_level",
        party,
        sum(LEVEL_OF[m.label or ""] for m in found),
        len(scene.speaking_turns(party)),
        no_answer="the agent said nothing",
        coverage=scene.coverage(party),
        confidence=scene.confidence,
        evidence=tuple(Span(m.start_s, m.end_s) for m in found),
    )


def _mean_uptake(scene: CallContext, party: str) -> Metric:
    found = scene.said("uptake", party=party)
    return rate(
        "uptake",
        party,
        sum(m.strength - _CHANCE for m in found),
        len(found),
        no_answer="fewer than three of the agents' turns follow something a customer said",
        coverage=scene.coverage(party),
        confidence=scene.confidence,
    )


# Metric -> the kinds of moments that it counts.
COUNTED = {
    "affective": ("affective",),
    "attentive": ("attentive",),
    "cognitive": ("cognitive",),
    "dismissive": ("dismissive",),
    "formulas": ("formula",),
    "apologies": ("apology",),
    "questions_open": ("question_open",),
    "questions_closed": ("question_closed",),
    "advice": ("advice",),
    "confrontations": ("confrontation",),
    "affirmations": ("affirmation",),
    "ownership": ("ownership",),
    "commitments": ("commitment",),
    "reasks": ("reask",),
    "politeness": ("politeness",),
}
_QUESTIONS = ("question_open", "question_closed")
_FIRST_PERSON = frozenset({"i", "me", "my", "mine", "myself"})


def agent_metrics(scene: CallContext, party: str) -> list[Metric]:
    """Return every measure of one agent party; those that need a customer are missing without a
    ledger.
    """
    coverage, confidence = scene.coverage(party), scene.confidence
    counts = [
        count(
            name, party, scene.said(*kinds, party=party), coverage=coverage, confidence=confidence
        )
        for name, kinds in COUNTED.items()
    ]
    counts += [
        count(
            f"politeness_{label}",
            party,
            [m for m in scene.said("politeness", party=party) if m.label == label],
            coverage=coverage,
            confidence=confidence,
        )
        for label in POLITENESS_LABELS
    ]
    offers = _offers(scene, party)
    return [
        *counts,
        count("offers", party, offers, coverage=coverage, confidence=confidence),
        _late_apologies(scene, party),
        _part(scene, "misplaced_offers", party, _misplaced(scene, offers), offers),
        _premature_solutions(scene, party),
        _empathy_to_action(scene, party),
        _first_person_share(scene, party),
        *_reflections(scene, party),
        *mechanism_metrics(scene, party),
    ]


def _part(
    scene: CallContext, name: str, party: str, found: Sequence[Moment], whole: Sequence[Moment]
) -> Metric:
    """Return a count of some of a party's moments, with the number of them all as denominator."""
    return Metric(
        name,
        party,
        float(len(found)),
        numerator=float(len(found)),
        denominator=float(len(whole)),
        observations=len(found),
        coverage=scene.coverage(party),
        confidence=scene.confidence,
        evidence=_spans(found),
    )


def _late_apologies(scene: CallContext, party: str) -> Metric:
    opening = {t.index for t in scene.speaking_turns(party)[: scene.settings.opening_turns]}
    apologies = scene.said("apology", party=party)
    late = [m for m in apologies if m.turn_index not in opening]
    return _part(scene, "late_apologies", party, late, apologies)


def _offers(scene: CallContext, party: str) -> list[Moment]:
    """Return the first part of each turn's offer: naming the price too is still one offer."""
    first: dict[int, Moment] = {}
    for moment in scene.said("offer", party=party):
        first.setdefault(moment.turn_index, moment)
    return list(first.values())


def _misplaced(scene: CallContext, offers: Sequence[Moment]) -> list[Moment]:
    """Return offers made soon after an unanswered cue, or where the customer should be heard.

    That is: after an open complaint, and in a call that asks for feedback.
    """
    listening = [*scene.by_customers("complaint"), *scene.by_agents("feedback")]
    return [
        offer
        for offer in offers
        if any(m.start_s < offer.start_s for m in listening)
        or any(_is_open(o, offer, scene) for o in scene.heard_by(offer.party))
    ]


def _is_open(opportunity: Opportunity, offer: Moment, scene: CallContext) -> bool:
    distance = offer.turn_index - opportunity.turn_index
    if offer.start_s < opportunity.end_s or distance > scene.settings.offer_after_cue_turns:
        return False
    answer_start_s = opportunity.answer_start_s
    was_answered = answered(opportunity) and answer_start_s is not None
    return not (was_answered and answer_start_s is not None and answer_start_s <= offer.start_s)


def _premature_solutions(scene: CallContext, party: str) -> Metric:
    """Return cues that this agent answered with a solution alone, without having asked anything."""
    name = "premature_solutions"
    answerable = [o for o in scene.heard_by(party) if o.answer is not None]
    solved = [o for o in answerable if o.answer == SOLVED_ONLY]
    if not answerable:
        elsewhere = any(o.answer is not None for o in scene.opportunities)
        who = "this agent heard" if elsewhere else "the customer gave"
        return missing_metric(name, party, f"{who} no cue that could be answered")
    questions = scene.by_agents(*_QUESTIONS)
    found = [
        o
        for o in solved
        if not any(o.end_s <= q.start_s and _before(q, o.answer_start_s) for q in questions)
    ]
    return Metric(
        name,
        party,
        float(len(found)),
        numerator=float(len(found)),
        denominator=float(len(answerable)),
        observations=len(found),
        coverage=scene.coverage(),
        confidence=scene.confidence,
        evidence=tuple(
            Span(o.answer_start_s, o.answer_end_s)
            for o in found
            if o.answer_start_s is not None and o.answer_end_s is not None
        ),
    )


def _before(moment: Moment, limit_s: float | None) -> bool:
    return limit_s is not None and moment.start_s < limit_s


def _empathy_to_action(scene: CallContext, party: str) -> Metric:
    """Return affective statements that a commitment follows, by any agent, within N turns."""
    statements = scene.said("affective", party=party)
    commitments = scene.by_agents("commitment")
    reach = scene.settings.action_within_turns
    followed = [
        s
        for s in statements
        if any(c.start_s >= s.start_s and c.turn_index - s.turn_index <= reach for c in commitments)
    ]
    return rate(
        "empathy_to_action",
        party,
        len(followed),
        len(statements),
        no_answer="the agent made no affective statement",
        coverage=scene.coverage(party),
        confidence=scene.confidence,
        evidence=_spans(followed),
    )


def _first_person_share(scene: CallContext, party: str) -> Metric:
    words = [w for t in scene.turns_of(RoleName.AGENT, party) for w in spoken_text(t.text).words]
    return rate(
        "first_person_share",
        party,
        sum(w in _FIRST_PERSON for w in words),
        len(words),
        no_answer="no word of the agent was recognised",
        coverage=scene.coverage(party),
        confidence=scene.confidence,
    )


def _reflections(scene: CallContext, party: str) -> list[Metric]:
    found = [m for m in scene.said("attentive", party=party) if m.label == "reflection"]
    coverage, confidence = scene.coverage(party), scene.confidence
    return [
        count("reflections", party, found, coverage=coverage, confidence=confidence),
        rate(
            "reflection_question_ratio",
            party,
            len(found),
            len(scene.said(*_QUESTIONS, party=party)),
            no_answer="the agent asked nothing",
            coverage=coverage,
            confidence=confidence,
            evidence=_spans(found),
        ),
    ]


def _spans(moments: Iterable[Moment]) -> tuple[Span, ...]:
    return tuple(Span(m.start_s, m.end_s) for m in moments)
