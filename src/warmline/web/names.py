"""What things of the warehouse are called on the pages: measures, finds, feelings, reasons.

Each is one name that is said aloud in a centre; the catalogue of a language has each of them.
"""

import re


def words(name: str | None) -> str:
    """Return a name of the warehouse as words: `fear_anxiety` as `fear, anxiety`.

    The pages say feeling for what the warehouse has as cue or opportunity: one word, one thing.
    """
    if name in ANSWERS:
        return ANSWERS[name]
    if "+" in (name or ""):  # a feeling and what became of it
        return " + ".join(words(part) for part in str(name).split("+"))
    text = _PAIRS.sub(r"\1, \2", name or "").replace("_", " ")
    return _FEELINGS.sub(lambda found: _FEELING_WORDS[found[0]], text)


#: Feelings that are kept under two names.
_PAIRS = re.compile(
    r"(fear|anger|sadness|confusion)_(anxiety|frustration|disappointment|powerlessness)"
)
_FEELING_WORDS = {
    "opportunities": "feelings found",
    "opportunity": "feeling",
    "missed cue": "missed feeling",
    "no cue": "no feeling",
    "cues": "feelings",
    "cue": "feeling",
}
_FEELINGS = re.compile(r"\b(" + "|".join(_FEELING_WORDS) + r")\b")


#: What an agent does about a feeling, as one says it aloud; the warehouse has research's terms.
ANSWERS = {
    "affective": "felt with the customer",
    "cognitive": "showed understanding",
    "attentive": "showed listening",
}
#: Measures, and what a form may show beside a question. Counts of statements that rules find are
#: called so: the ledger says the same words of what a model judges.
MEASURES = {
    "advice": "advice",
    "affective": "statements of feeling, by rule",
    "affirmations": "appreciation of the customer",
    "answered_rate": "feelings answered",
    "apologies": "apologies",
    "attentive": "statements that show listening, by rule",
    "backchannels": "signs of listening (“mhm”)",
    "backchannels_per_min": "signs of listening per minute",
    "cognitive": "statements of understanding, by rule",
    "commitments": "promises",
    "competitive_interruptions": "interruptions that take the word",
    "complaints": "open complaints",
    "confrontations": "arguing, blaming or warning",
    "customer_level_recovery_db": "how much quieter the customer became",
    "customer_rate_recovery": "how much slower the customer spoke in the end",
    "dead_air_count": "times of dead air",
    "dead_air_s": "dead air",
    "dismissive": "dismissive statements, by rule",
    "emotional_reaction_level": "warmth shown, 0 to 2",
    "empathy_to_action": "statements of feeling followed by a promise",
    "entrainment_level_convergence": "loudness that grows alike",
    "entrainment_level_proximity": "loudness alike from turn to turn",
    "entrainment_level_synchrony": "loudness that moves together",
    "entrainment_rate_convergence": "speed that grows alike",
    "entrainment_rate_proximity": "speed alike from turn to turn",
    "entrainment_rate_synchrony": "speed that moves together",
    "expectation_set": "said by when or how long",
    "exploration_level": "asking after feelings, 0 to 2",
    "first_person_share": "share of “I” and “my” in the agent's words",
    "formulas": "phrases of courtesy that are no empathy",
    "friction_hold": "waits",
    "friction_repeat": "having to say it again",
    "friction_transfer": "transfers",
    "fto_median_s": "time between speakers, median",
    "heated_turns": "turns in which the customer was loud or fast",
    "hold_s": "on hold",
    "hostile": "insults, threats and swearing",
    "interpretation_level": "understanding shown, 0 to 2",
    "interruptions": "interruptions",
    "interruptions_per_min": "interruptions per minute",
    "late_apologies": "late apologies",
    "level_iqr_db": "spread of loudness",
    "level_median_db": "loudness on the line, median",
    "long_dead_air_count": "times of dead air of 5 s or more",
    "long_dead_air_s": "dead air of 5 s or more",
    "longest_dead_air_s": "longest dead air",
    "longest_monologue_s": "longest turn without interruption",
    "loudness_lufs": "loudness as heard",
    "misplaced_offers": "offers while a concern was open",
    "next_step": "next step named",
    "non_talk_s": "time in which nobody spoke",
    "offers": "turns with an offer",
    "opening_story_s": "the customer's story, up to any interruption",
    "opportunities": "feelings found",
    "opportunities_anger_frustration": "anger or frustration found",
    "opportunities_confusion_powerlessness": "confusion or powerlessness found",
    "opportunities_expected": "feelings to be expected",
    "opportunities_fear_anxiety": "fear or anxiety found",
    "opportunities_sadness_disappointment": "sadness or disappointment found",
    "overlap_s": "time in which both spoke",
    "ownership": "taking the matter on",
    "pause_share": "share of pauses within turns",
    "pitch_iqr_st": "spread of pitch",
    "pitch_median_hz": "pitch, median",
    "politeness": "ways of being polite",
    "politeness_deference": "politeness: respect",
    "politeness_gratitude": "politeness: gratitude",
    "politeness_greeting": "politeness: greeting",
    "politeness_indirect_request": "politeness: indirect request",
    "politeness_please": "politeness: “please”",
    "premature_solutions": "solutions given before the feeling was heard",
    "questions_closed": "closed questions",
    "questions_open": "open questions",
    "rate_median_words_per_s": "speed of speech, median",
    "reasks": "asked for again though it was said",
    "reflection_question_ratio": "statements that say it back for each question",
    "reflections": "statements that say it back",
    "relief": "relief",
    "resolution": "solved, as was said last",
    "response_latency_median_s": "time until the answer, median",
    "response_latency_p90_s": "time until the answer, nine of ten",
    "silent_dissatisfaction": "unhappy without a word of complaint",
    "steadiness_level_db": "louder after a heated turn, by",
    "steadiness_pitch_st": "higher after a heated turn, by",
    "steadiness_rate_words_per_s": "faster after a heated turn, by",
    "successful_interruptions": "interruptions that got the word",
    "talk_s": "time spoken",
    "talk_share": "share of talk",
    "thanks": "thanks",
    "turns": "turns",
    "uptake": "building on what the customer said",
    "voiced_share": "share of voice in speech",
    "warm_competent_warm": "warm, competent, warm again",
    "words": "words",
    "opening": "how the agent began",
    "details_asked": "details asked for",
}
#: Measures that are 1 or 0: a person reads yes, no, or that nothing was found.
YES_OR_NO = frozenset({"next_step", "expectation_set", "resolution", "silent_dissatisfaction"})
#: What rules find that tells a listener something, in the transcript of a call that is scored.
FINDS = {
    "identification": "gives a name",
    "affective": "names the feeling",
    "attentive": "shows listening",
    "cognitive": "takes the customer's view",
    "dismissive": "waves it away",
    "apology": "apology",
    "slot_request": "asks for a detail",
    "reask": "asks again",
    "ownership": "takes it on",
    "commitment": "promise",
    "solution": "proposes a solution",
    "next_step": "says what happens next",
    "expectation": "says by when",
    "resolution": "says whether it is solved",
    "offer": "offer",
    "complaint": "complaint",
    "hostile": "hostile words",
    "relief": "relief",
    "thanks": "thanks",
    "friction_repeat": "has to say it again",
    "friction_transfer": "passed on",
    "friction_hold": "waiting",
    "question_open": "open question",
    "advice": "advice",
}
#: Reasons of the warehouse in the words of the pages.
REASONS = {
    "said of the customer": "given for the customer only",
    "said of the agent": "given for the agent only",
    "the agent made no affective statement": (
        "no rule found a statement of feeling by the agent; a model may have heard one"
    ),
    "the customer gave no cue of a feeling": "no feeling was recognised",
    "the customer gave no cue that could be answered": (
        "no feeling that could be answered was recognised"
    ),
    "the customer gave no cue: silence cannot be told from content": (
        "no feeling was recognised: silence cannot be told from content"
    ),
}


def measure_words(name: str) -> str:
    """Return what a measure is called on the pages."""
    return MEASURES.get(name) or words(name)


def find_words(kind: str) -> str:
    """Return what something that a rule found is called on the pages."""
    return FINDS.get(kind) or words(kind)


def reason_words(reason: str | None) -> str:
    """Return a reason of the warehouse in the words of the pages."""
    return REASONS.get(reason or "", reason or "")
