"""The kinds of moments of the language stage: the vocabulary of rules, ledger and tables."""

from enum import StrEnum

CUE_LABELS = (
    "fear_anxiety",
    "anger_frustration",
    "sadness_disappointment",
    "confusion_powerlessness",
)
POLITENESS_LABELS = ("gratitude", "please", "indirect_request", "deference", "greeting")
SLOT_LABELS = (
    *("account_number", "card_number", "security_code", "date_of_birth", "name", "address"),
    *("postcode", "phone_number", "email", "order_number", "last_four", "problem"),
)


class SpeakerScope(StrEnum):
    """Whose words a rule reads."""

    AGENT = "agent"
    CUSTOMER = "customer"
    ANY = "any"


# Kind -> (whose words, what it means).
KINDS: dict[str, tuple[SpeakerScope, str]] = {
    "cue": (SpeakerScope.CUSTOMER, "the customer expresses a feeling; label says which"),
    "hostile": (SpeakerScope.CUSTOMER, "insult, threat or swearing at the agent or the firm"),
    "complaint": (
        SpeakerScope.CUSTOMER,
        "the customer complains openly, or comes to give feedback",
    ),
    "problem": (
        SpeakerScope.CUSTOMER,
        "something is late, broken or wrong; told without a feeling",
    ),
    "thanks": (SpeakerScope.CUSTOMER, "the customer thanks"),
    "relief": (SpeakerScope.CUSTOMER, "the customer is relieved or glad"),
    "friction_repeat": (SpeakerScope.CUSTOMER, "again, the third time, already told you"),
    "friction_transfer": (SpeakerScope.ANY, "passed on to someone else"),
    "friction_hold": (SpeakerScope.ANY, "kept waiting; the agent's are announcements of a hold"),
    "affective": (SpeakerScope.AGENT, "names, shares or acknowledges the customer's feeling"),
    "attentive": (
        SpeakerScope.AGENT,
        "shows having listened: mirror, paraphrase, check, give time",
    ),
    "cognitive": (SpeakerScope.AGENT, "takes the customer's view; explains cause or plan for it"),
    "dismissive": (SpeakerScope.AGENT, "waves the customer's concern away"),
    "formula": (SpeakerScope.AGENT, "politeness formula of service; alone it is no empathy"),
    "apology": (SpeakerScope.AGENT, "says sorry or apologizes"),
    "politeness": (SpeakerScope.AGENT, "a strategy of politeness; label says which"),
    "question_open": (SpeakerScope.AGENT, "a question that invites the customer's own account"),
    "question_closed": (SpeakerScope.AGENT, "a question for a yes, a no, or one fact"),
    "slot_request": (SpeakerScope.AGENT, "asks for one item of information; label says which"),
    "no_answer": (SpeakerScope.CUSTOMER, "does not give what was asked for"),
    "reask": (SpeakerScope.AGENT, "asks again for an item that had been answered"),
    "commitment": (SpeakerScope.AGENT, "promises or reports an action of one's own, or the firm's"),
    "ownership": (SpeakerScope.AGENT, "takes responsibility for the matter"),
    "solution": (SpeakerScope.AGENT, "proposes or names a way to solve it"),
    "next_step": (SpeakerScope.AGENT, "says what happens next"),
    "expectation": (SpeakerScope.AGENT, "says by when, or how long"),
    "feedback": (SpeakerScope.AGENT, "asks for the customer's opinion: a feedback call"),
    "offer": (SpeakerScope.AGENT, "offers something for sale or upgrade"),
    "advice": (SpeakerScope.AGENT, "says what the customer ought to do, also as a question"),
    "confrontation": (SpeakerScope.AGENT, "disagrees, argues, blames, warns or shames"),
    "affirmation": (SpeakerScope.AGENT, "appreciates what the customer does, is or brings"),
    "autonomy": (SpeakerScope.AGENT, "leaves the choice to the customer"),
    "collaboration": (SpeakerScope.AGENT, "asks leave, or for the customer's own view of a plan"),
    "resolution": (
        SpeakerScope.ANY,
        "says that it is solved, or is not; label resolved/unresolved",
    ),
    "emotional_reaction": (
        SpeakerScope.AGENT,
        "EPITOME: warmth, compassion or concern is expressed",
    ),
    "interpretation": (
        SpeakerScope.AGENT,
        "EPITOME: an understanding of the customer is expressed",
    ),
    "exploration": (
        SpeakerScope.AGENT,
        "EPITOME: asks after what the customer feels and lives through",
    ),
    "uptake": (
        SpeakerScope.AGENT,
        "builds on what the customer has just said; strength 0.5 is chance",
    ),
    "identification": (SpeakerScope.AGENT, "gives own name or the firm's"),
    "quote": (SpeakerScope.CUSTOMER, "the customer's sentence around a moment; label says of what"),
}

# The kinds for which a customer is quoted.
QUOTED_KINDS = frozenset(
    {
        *("cue", "hostile", "complaint", "relief", "friction_repeat"),
        *("friction_transfer", "friction_hold"),
    }
)
# The kinds that a rule file may define; the others come from models, from several turns together,
# or from what a clause does (`speech_acts.py`).
RULE_KINDS = frozenset(KINDS) - {
    *("reask", "quote", "emotional_reaction", "interpretation", "exploration", "uptake"),
    *("advice", "confrontation", "affirmation", "autonomy", "collaboration"),
}
LABELS: dict[str, tuple[str, ...]] = {
    "cue": CUE_LABELS,
    "politeness": POLITENESS_LABELS,
    "slot_request": SLOT_LABELS,
    "resolution": ("resolved", "unresolved"),
    "emotional_reaction": ("weak", "strong"),
    "interpretation": ("weak", "strong"),
    "exploration": ("weak", "strong"),
}
