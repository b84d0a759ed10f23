"""The definitions of every measure that the empathy stage may return."""

from warmline.language.kinds import CUE_LABELS, POLITENESS_LABELS
from warmline.metrics import MetricDefinition
from warmline.statistics import precision_at, specificity_from

_LEDGER = "Bylund & Makoul 2005; Hsu 2012"
_CLARK = "Clark, Murfett, Rogers & Ang 2013"
_SEED = "rule with evidence"
_POLITE = "Danescu-Niculescu-Mizil et al. 2013"
# Measured with the rules and models as they are; tests/test_language_*.py hold them to it.
_CUES = (
    "turns: sensitivity 0.43, specificity 0.97, precision 0.80 (English support chats, n 195, 46 "
    "with a feeling); precision 0.21, 0.41, 0.59, 0.76 where 2, 5, 10, 20 % have one"
)
_KINDS = f"{_CUES}; which feeling it is: no"
_EXPECTED = "calibration error 0.04: 46.2 expected, 46 heard (English support chats, n 195)"
_ANSWERED = "no; of detected opportunities: their sensitivity is 0.43"


def _precision(precision: float, recall: float, positive: int, n: int) -> str:
    """Return what the precision would be where fewer things are to be found than were there."""
    share = positive / n
    specificity = specificity_from(precision, recall, share)
    at = ", ".join(f"{precision_at(recall, specificity, p):.2f}" for p in (0.02, 0.05, 0.1, 0.2))
    return f"precision {at} where 2, 5, 10, 20 % are such, not {share:.0%}"


_AFFECT = (
    "rules: precision 0.80, recall 0.24 (emotional reactions, EPITOME, n 2487); "
    + _precision(0.80, 0.24, 841, 2487)
)
_QUESTION = (
    "precision 0.83, recall 0.91 (AnnoMI, n 3534); open or closed right 0.77 (n 966); "
    + _precision(0.83, 0.91, 1219, 3534)
)
_EPITOME = "Sharma, Miner, Atkins & Althoff 2020 (EPITOME)"
_LEVELS = {
    "emotional_reaction": "EPITOME, five folds by seeker, n 2487: macro-F1 of the levels 0.70",
    "interpretation": "EPITOME, five folds by seeker, n 2487: macro-F1 of the levels 0.56",
    "exploration": "EPITOME, five folds by seeker, n 2487: macro-F1 of the levels 0.68",
}
_REFLECTION = (
    "precision 0.68, recall 0.53 of utterances that reflect (AnnoMI, n 3534); "
    + _precision(0.68, 0.53, 1076, 3534)
)
_INPUT = (
    "with confrontation and information as input: precision 0.43, recall 0.68 (AnnoMI, n 3534); "
    + _precision(0.43, 0.68, 543, 3534)
)


# Version of what depends on the moments that are read: 2 since models read them beside more rules,
# 3 since agents' turns are read clause by clause, 4 since mere attention beside a dismissal is a
# dismissal, and prices by the month are offers, 5 since a multilingual model reads customers'
# turns, an answer follows its cue in time and is by the agent who heard it, and courtesy, holds and
# instructions are classed as such.
_VERSION = 5


def _counted(
    level: str, name: str, what: str, source: str = _SEED, validated: str = "no"
) -> MetricDefinition:
    what = f"number of {what}"
    return MetricDefinition(name, level, "count", what, source, _VERSION, validated)


def _shared(
    level: str, name: str, what: str, source: str = _SEED, validated: str = "no"
) -> MetricDefinition:
    return MetricDefinition(name, level, "share", what, source, _VERSION, validated)


CALL = (
    _counted(
        "call",
        "opportunities",
        "cues of a feeling in the customer's words; cues of one kind in one turn are one",
        _LEDGER,
        _CUES,
    ),
    *(
        _counted("call", f"opportunities_{kind}", f"opportunities of {kind}", _LEDGER, _KINDS)
        for kind in CUE_LABELS
    ),
    _counted(
        "call",
        "opportunities_expected",
        "turns of the customer with a feeling, as expected: the sum of turn_feelings.any_negative",
        _LEDGER,
        _EXPECTED,
    ),
    _shared(
        "call",
        "answered_rate",
        "opportunities answered attentively, affectively or cognitively within the next "
        "empathy.answer_within_turns turns of the agent who heard them / opportunities after which "
        "that agent spoke",
        f"{_LEDGER}; {_CLARK}",
        _ANSWERED,
    ),
    _shared("call", "next_step", "1 if an agent said what happens next, else 0"),
    _shared("call", "expectation_set", "1 if an agent said by when or how long, else 0"),
    _shared("call", "resolution", "1 or 0 as either party last said that it is solved, or is not"),
    _shared(
        "call",
        "silent_dissatisfaction",
        "1 if cues and friction did not fade in the customer's later half, nothing was solved or "
        "relieved after the last of them, and the customer neither complained nor was hostile",
    ),
    _shared(
        "call",
        "warm_competent_warm",
        "agents' warm moments in the first and last empathy.edge_share of their words, and "
        "competent ones between / all warm and competent moments; 0.5 is no pattern",
        "Li, Packard & Berger 2024",
    ),
)

AGENT = (
    _counted(
        "party",
        "affective",
        "statements that name, share or acknowledge the customer's feeling",
        _CLARK,
        _AFFECT,
    ),
    _counted("party", "attentive", "statements that show having listened", _CLARK),
    _counted(
        "party",
        "cognitive",
        "statements that take the customer's view or explain cause or plan",
        _CLARK,
    ),
    _counted("party", "dismissive", "statements that wave the concern away"),
    _counted("party", "formulas", "service formulas, which alone are no empathy"),
    _counted("party", "apologies", "apologies", "Marinova, Singh & Singh 2018"),
    _counted(
        "party",
        "late_apologies",
        "apologies after the agent's first empathy.opening_turns turns, of all apologies",
        "Marinova, Singh & Singh 2018",
    ),
    _counted(
        "party",
        "questions_open",
        "questions that invite the customer's account",
        "MITI 4",
        _QUESTION,
    ),
    _counted(
        "party",
        "questions_closed",
        "questions for a yes, a no or one fact",
        "MITI 4",
        _QUESTION,
    ),
    _counted("party", "ownership", "statements that take responsibility"),
    _counted("party", "commitments", "promises or reports of action", _CLARK),
    _counted("party", "offers", "turns with an offer of something for sale"),
    _counted(
        "party",
        "misplaced_offers",
        "offers within empathy.offer_after_cue_turns turns of a cue not yet answered, after an "
        "open complaint, or in a call that asks for feedback, of all offers",
    ),
    _counted("party", "reasks", "requests for an item that was asked for and answered before"),
    _counted("party", "politeness", "strategies of politeness", _POLITE),
    *(
        _counted("party", f"politeness_{label}", f"strategies of politeness: {label}", _POLITE)
        for label in POLITENESS_LABELS
    ),
    _counted(
        "party",
        "premature_solutions",
        "cues heard by this agent that got a solution and nothing else, no question asked between, "
        "of all answerable ones",
    ),
    _shared(
        "party",
        "empathy_to_action",
        "affective statements that a commitment follows within empathy.action_within_turns turns "
        "/ affective statements",
        _CLARK,
    ),
    _shared(
        "party",
        "first_person_share",
        "I, me, my, mine, myself / the agent's words, contractions opened, fillers left out",
        "Packard, Moore & McFerran 2018",
    ),
    _counted(
        "party",
        "reflections",
        "statements that say back what the customer said or means; clauses that follow each other "
        "are one",
        "MITI 4; MISC 2.5",
        _REFLECTION,
    ),
    _counted(
        "party",
        "advice",
        "statements of what the customer ought to do, also as a question; in a service call it is "
        "often what was asked for",
        "MISC 2.5 (advise, direct)",
        _INPUT,
    ),
    _counted(
        "party",
        "confrontations",
        "statements that argue, blame, warn or shame",
        "MITI 4; MISC 2.5 (confront, warn)",
        _INPUT,
    ),
    _counted(
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

CUSTOMER = (
    _counted("party", "friction_repeat", "statements of having to repeat: again, third time"),
    _counted(
        "party",
        "friction_transfer",
        "transfers: those the customer tells of and those an agent announces",
    ),
    _counted("party", "friction_hold", "waits: those the customer tells of and holds heard"),
    _counted("party", "hostile", "insults, threats and swearing"),
    _counted("party", "complaints", "open complaints and calls for a manager"),
    _counted("party", "thanks", "thanks"),
    _counted("party", "relief", "statements of relief"),
)

DEFINITIONS = (*CALL, *AGENT, *CUSTOMER)
