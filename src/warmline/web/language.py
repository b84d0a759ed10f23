"""The languages of the pages: what things are called in them, and how numbers and days are written.

Things of the warehouse (measures, finds, feelings, reasons) have one name each, that is said aloud
in a centre; the catalogue of a language has each of them.
"""

import gettext
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, cached_property
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

CATALOGUES = Path(__file__).parent / "locale"
ENGLISH = "en"
#: Where a value stands in a sentence of the catalogue.
_VALUE = re.compile(r"%\((\w+)\)s")
#: A language of an `Accept-Language` header with its weight (RFC 9110, 12.5.4).
_ACCEPTED = re.compile(
    r"\s*(?P<language>[A-Za-z]{1,8})(-[A-Za-z0-9-]*)?\s*"
    r"(;\s*[qQ]=(?P<rank>0(\.[0-9]{0,3})?|1(\.0{0,3})?)\s*)?"
)


def languages() -> tuple[str, ...]:
    """Return the languages that pages can be read in: English, and each with a catalogue."""
    return (ENGLISH, *sorted(path.stem for path in CATALOGUES.glob("*.po")))


def chosen_language(accepted: str) -> str:
    """Return the language for an `Accept-Language` header: the first of those that there are."""
    wanted = []
    for position, part in enumerate(accepted.split(",")[:20]):
        if (asked := _ACCEPTED.fullmatch(part)) and (rank := float(asked["rank"] or 1)):
            wanted.append((-rank, position, asked["language"].lower()))
    there = languages()
    return next((name for _, _, name in sorted(wanted) if name in there), ENGLISH)


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the catalogue of a language, compiled; an empty one for English."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, _catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def _catalogue(language: str) -> Catalog:
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def said_in_templates(
    spoken: gettext.NullTranslations, escape: Callable[[object], str], safe: Callable[[str], str]
) -> Callable[..., str]:
    """Return what says a text of a template in a language, with its values escaped.

    `escape` and `safe` are Jinja's filters of these names. Jinja's own function does the same, and
    takes several times as long: a page says thousands of texts.
    """
    known: dict[str, str] = {}
    whole: dict[str, str] = {}

    def say(text: str, /, **values: object) -> str:
        if values:
            if text not in known:
                known[text] = spoken.gettext(text)
            return safe(known[text] % {name: escape(value) for name, value in values.items()})
        if text not in whole:
            whole[text] = safe(spoken.gettext(text) % {})
        return whole[text]

    return say


@dataclass(frozen=True)
class Sentences:
    """Sentences that code makes, with values in them, as the catalogue says them elsewhere.

    Entries of a context hold each sentence with `%(a)s`, `%(b)s`, ... in the place of its values.
    What a value says is looked up, too. What is in no entry stays as it is.
    """

    whole: Mapping[str, str]
    patterns: tuple[tuple[re.Pattern[str], str], ...]
    spoken: gettext.NullTranslations

    @classmethod
    def of(cls, language: str, context: str) -> "Sentences":
        """Return the sentences of a context in a language; none in English."""
        spoken = translations(language)
        if language == ENGLISH:
            return cls({}, (), spoken)
        entries = {
            str(m.id): str(m.string) for m in _catalogue(language) if m.id and m.context == context
        }
        longest_first = sorted(entries, key=lambda text: -len(_VALUE.sub("", text)))
        patterns = [(_pattern(text), entries[text]) for text in longest_first if "%(" in text]
        return cls(entries, tuple(patterns), spoken)

    def say(self, text: object) -> str:
        """Return a sentence in the language of these."""
        english = str(text or "")
        if not english or english in self.whole:
            return self.whole.get(english, "")
        for pattern, said in self.patterns:
            if found := pattern.fullmatch(english):
                values = {name: self._value(value) for name, value in found.groupdict().items()}
                return said % values
        return self.spoken.gettext(english)

    def _value(self, value: str) -> str:
        return self.whole.get(value) or (self.spoken.gettext(value) if value else "")


def _pattern(text: str) -> re.Pattern[str]:
    """The sentences that an entry stands for. A value that it has twice is the same both times."""
    parts, named = [], set[str]()
    for i, part in enumerate(_VALUE.split(text)):
        if i % 2 == 0:
            parts.append(re.escape(part.replace("%%", "%")))
        else:
            parts.append(f"(?P={part})" if part in named else f"(?P<{part}>.+?)")
            named.add(part)
    return re.compile("".join(parts), re.DOTALL)


_PLAIN_WORD = re.compile(r"[a-zäöü][a-zäöüß']*(?=[ ,;]|$)")


def begun(text: str) -> str:
    """Return a message as a sentence begins: with a capital, unless a name stands first."""
    return text[0].upper() + text[1:] if _PLAIN_WORD.match(text) else text


#: What a sentence in English may hold that other languages write otherwise.
_WRITTEN = re.compile(
    r"(?P<day>\b\d{4}-\d\d-\d\d\b)|(?P<share>\b\d+%)|(?P<number>(?<![\d.])\d+\.\d+(?![\d.]))"
)
#: Quotation marks by language; Babel has none.
_QUOTES = {ENGLISH: ("“", "”"), "de": ("„", "“")}


@dataclass(frozen=True)
class Formats:
    """How a language writes numbers, shares, days and what somebody said."""

    language: str

    @cached_property
    def _locale(self) -> Locale:
        return Locale.parse(self.language)

    def number(self, value: float, digits: int) -> str:
        """Return a number with so many digits behind its point."""
        text = f"{value:.{digits}f}"
        if self.language == ENGLISH or not digits:
            return text
        return str(format_decimal(text, format=f"0.{'0' * digits}", locale=self._locale))

    def plain(self, value: float) -> str:
        """Return a number as it is written down: without a point if whole, else two digits."""
        return self.number(value, 0 if value == int(value) else 2)

    def short(self, value: float) -> str:
        """Return a number with at most two digits, and no zero that says nothing."""
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return self.number(float(text), len(text.partition(".")[2]))

    def percent(self, share: float | None) -> str:
        """Return a share; a dash where there is none."""
        if share is None:
            return "–"
        if self.language == ENGLISH:
            return f"{share:.0%}"
        return str(format_percent(round(share, 2), locale=self._locale))

    def day(self, day: date | None) -> str:
        """Return a day; nothing where there is none."""
        if day is None:
            return ""
        if self.language == ENGLISH:
            return f"{day:%Y-%m-%d}"
        return str(format_date(day, "medium", self._locale))

    def short_day(self, day: date) -> str:
        """Return a day without its year, as below the weeks of a drawing."""
        if self.language == ENGLISH:
            return f"{day:%d %b}"
        return str(format_skeleton("MMMd", day, locale=self._locale))

    def minute(self, at: datetime | date) -> str:
        """Return a day with its minute, UTC; a day alone if that is all that is known."""
        if not isinstance(at, datetime):
            return self.day(at)
        there = at.astimezone(UTC) if at.tzinfo else at
        return f"{self.day(there.date())} {there:%H:%M}"

    def quoted(self, text: object) -> str:
        """Return what somebody said between the quotation marks of the language."""
        opening, closing = _QUOTES.get(self.language, _QUOTES[ENGLISH])
        return f"{opening}{text}{closing}"

    def written(self, text: str) -> str:
        """Return a sentence with its days, shares and numbers as the language writes them."""
        return text if self.language == ENGLISH else _WRITTEN.sub(self._written, text)

    def _written(self, found: re.Match[str]) -> str:
        if found["day"]:
            return self.day(date.fromisoformat(found["day"]))
        if found["share"]:
            return self.percent(int(found["share"][:-1]) / 100)
        return self.number(float(found["number"]), len(found["number"].partition(".")[2]))


# What things of the warehouse are called.


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
    "minimal_acknowledgement": "said sorry in passing",
    "no_answer": "could not be answered: no agent spoke after it (not counted)",
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
    "entrainment_level_convergence": "loudness that converges during the call",
    "entrainment_level_proximity": "loudness alike from turn to turn",
    "entrainment_level_synchrony": "loudness that moves together",
    "entrainment_rate_convergence": "speed that converges during the call",
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
#: What each measure tells, in one sentence for somebody who leads a team and measures nothing.
PLAIN = {
    "pitch_median_hz": "How high this person's voice was, at its middle.",
    "pitch_iqr_st": "How much this person's voice rose and fell; small is monotonous.",
    "level_median_db": "How loud this person was on the line; compare it within one call only.",
    "level_iqr_db": "How much this person's loudness changed from turn to turn.",
    "loudness_lufs": "How loud this person sounds to the ear, as broadcasters measure it.",
    "rate_median_words_per_s": "How fast this person spoke: words in a second.",
    "pause_share": "Of the time in which it was this person's turn, how much they were silent.",
    "voiced_share": "How much of this person's speech was voice, and not hiss, breath or noise.",
    "steadiness_level_db": (
        "Whether the agent became louder after the customer was upset; near 0 is steady."
    ),
    "steadiness_rate_words_per_s": (
        "Whether the agent spoke faster after the customer was upset; near 0 is steady."
    ),
    "steadiness_pitch_st": (
        "Whether the agent's voice rose after the customer was upset; near 0 is steady."
    ),
    "heated_turns": "How often the customer was clearly louder or faster than usual, or hostile.",
    "customer_level_recovery_db": (
        "How much quieter the customer was at the end than at the beginning."
    ),
    "customer_rate_recovery": (
        "How much slower the customer spoke at the end than at the beginning."
    ),
    "entrainment_level_proximity": (
        "How alike the two were in loudness from one turn to the next; for research only."
    ),
    "entrainment_level_convergence": (
        "Whether the two became more alike in loudness during the call; for research only."
    ),
    "entrainment_level_synchrony": (
        "Whether one became louder when the other did; for research only."
    ),
    "entrainment_rate_proximity": (
        "How alike the two were in speed from one turn to the next; for research only."
    ),
    "entrainment_rate_convergence": (
        "Whether the two became more alike in speed during the call; for research only."
    ),
    "entrainment_rate_synchrony": "Whether one spoke faster when the other did; for research only.",
    "talk_s": "How many seconds this person spoke.",
    "talk_share": "Of all that was spoken, how much this person spoke.",
    "longest_monologue_s": "The longest time that this person spoke without anybody coming in.",
    "interruptions": "How often this person began to speak while the other was still speaking.",
    "interruptions_per_min": (
        "How often this person interrupted, for each minute that the other spoke."
    ),
    "competitive_interruptions": (
        "Interruptions that were not meant to agree or to help the other finish."
    ),
    "successful_interruptions": "Interruptions after which the other fell silent.",
    "backchannels": "How often this person showed with a short “mhm” or “yes” that they listened.",
    "backchannels_per_min": (
        "Short signs of listening, for each minute that the other spoke; for research only."
    ),
    "response_latency_median_s": "How long it usually took until this person answered.",
    "response_latency_p90_s": (
        "How long it took until this person answered, in nine of ten cases at most."
    ),
    "turns": "How often it was this person's turn to speak.",
    "words": "How many words of this person were recognised.",
    "non_talk_s": "How many seconds nobody spoke, from beginning to end.",
    "dead_air_s": (
        "How many seconds of silence of two seconds or more there were; holds do not count."
    ),
    "dead_air_count": "How often nobody spoke for two seconds or more; holds do not count.",
    "longest_dead_air_s": "The longest silence of the call; holds do not count.",
    "long_dead_air_s": "How many seconds of silence of five seconds or more there were.",
    "long_dead_air_count": "How often nobody spoke for five seconds or more.",
    "hold_s": "How many seconds the caller heard music or tones, waiting.",
    "fto_median_s": (
        "How long the gap usually was when the other began to speak; below 0 they overlapped."
    ),
    "overlap_s": "How many seconds two or more people spoke at once.",
    "opening_story_s": (
        "How long the customer could tell what it is about before the agent interrupted."
    ),
    "opportunities": "How many feelings the customer showed in words.",
    "opportunities_fear_anxiety": "How often the customer showed fear or worry.",
    "opportunities_anger_frustration": "How often the customer showed anger or frustration.",
    "opportunities_sadness_disappointment": (
        "How often the customer showed sadness or disappointment."
    ),
    "opportunities_confusion_powerlessness": (
        "How often the customer showed that they were confused or helpless."
    ),
    "opportunities_expected": (
        "How many turns of the customer probably held a feeling, by how sure the model is."
    ),
    "answered_rate": (
        "Of ten feelings that a customer showed, how many the agent heard, understood or shared."
    ),
    "next_step": (
        "Whether the agent said what happens next, what is done, or when, or offered to do "
        "something."
    ),
    "expectation_set": "Whether the agent said by when, or how long it will take.",
    "resolution": "Whether the matter was solved, as somebody said last.",
    "silent_dissatisfaction": (
        "Whether the customer stayed unhappy to the end, without a complaint."
    ),
    "warm_competent_warm": (
        "Whether the agent was warm first and last, and factual between; 0.5 is no pattern."
    ),
    "affective": "How often the agent named or shared the customer's feeling.",
    "attentive": "How often the agent showed having listened.",
    "cognitive": (
        "How often the agent took the customer's view, or explained the cause or what will be done."
    ),
    "dismissive": "How often the agent waved a concern away.",
    "formulas": (
        "How often the agent used a set phrase of service, such as “your call is important to us”."
    ),
    "apologies": "How often the agent apologised.",
    "late_apologies": "Apologies that came only after the agent's first turns.",
    "questions_open": "Questions that let the other tell, such as “what happened?”.",
    "questions_closed": "Questions for a yes, a no or one detail.",
    "ownership": "How often the agent took the matter on: “I will see to it”.",
    "commitments": "How often the agent promised something, or said that it is done.",
    "offers": "How often the agent offered something for sale.",
    "misplaced_offers": "Offers for sale while the customer's feeling or complaint was still open.",
    "reasks": "How often the agent asked for something that the customer had said already.",
    "politeness": "How many ways of being polite this person used.",
    "politeness_gratitude": "How often this person said thanks.",
    "politeness_please": "How often this person said please.",
    "politeness_indirect_request": (
        "How often this person asked in an indirect way: “could you tell me …”."
    ),
    "politeness_deference": "How often this person showed respect: “good question”, “well done”.",
    "politeness_greeting": "How often this person greeted.",
    "premature_solutions": "Feelings that got a solution and nothing else, without one question.",
    "empathy_to_action": "When the agent named a feeling, how often a promise followed soon.",
    "first_person_share": "How much of the agent's words are “I”, “me” and “my”.",
    "reflections": "How often the agent said back what the customer had said or meant.",
    "advice": "How often the agent said what the customer should do.",
    "confrontations": "How often the agent argued, blamed or warned.",
    "affirmations": "How often the agent showed appreciation of what the customer does.",
    "reflection_question_ratio": (
        "For each question, how often the agent also said back what was heard."
    ),
    "emotional_reaction_level": (
        "How much warmth the agent showed on the whole: 0 none, 1 some, 2 much."
    ),
    "interpretation_level": (
        "How much understanding the agent showed on the whole: 0 none, 1 some, 2 much."
    ),
    "exploration_level": (
        "How much the agent asked after feelings on the whole: 0 not, 1 some, 2 much."
    ),
    "uptake": "How closely the agent's words follow what the customer has just said.",
    "friction_repeat": "How often somebody had to say it again: “for the third time”.",
    "friction_transfer": "How often the customer was, or is to be, passed on to somebody else.",
    "friction_hold": "How often the customer had to wait, in this call or as they tell.",
    "hostile": "How often somebody insulted, threatened or swore.",
    "complaints": "How often the customer complained openly or asked for a manager.",
    "thanks": "How often somebody said thanks.",
    "relief": "How often somebody was relieved: “thank goodness”.",
}
#: Measures that are 1 or 0: a person reads yes, no, or that nothing was found.
YES_OR_NO = frozenset({"next_step", "expectation_set", "resolution", "silent_dissatisfaction"})
#: What rules find that tells a listener something, in the transcript of a call that is scored.
FINDS = {
    "identification": "gives a name",
    "handover": "another agent takes over",
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


def plain_words(name: str) -> str:
    """Return what a measure tells in one plain sentence; nothing where none is known."""
    return PLAIN.get(name, "")


def find_words(kind: str) -> str:
    """Return what something that a rule found is called on the pages."""
    return FINDS.get(kind) or words(kind)


def reason_words(reason: str | None) -> str:
    """Return a reason of the warehouse in the words of the pages."""
    return REASONS.get(reason or "", reason or "")
