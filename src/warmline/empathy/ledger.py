"""The opportunity ledger: one row for each feeling a customer showed, and how it was answered.

After Bylund & Makoul 2005 (empathic opportunity and response) and Hsu et al. 2012. With it is what
the measures of one call share: its roles, words and moments, and how a measure is defined.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from warmline.analysis import Floor, MetricDefinition, Moment, Opportunity, TurnFeelings
from warmline.language.feelings import cues_in
from warmline.language.speech_acts import content
from warmline.language.windows import MECHANISMS
from warmline.phrases import spoken_text
from warmline.settings import EmpathySettings
from warmline.statistics import precision_at, specificity_from
from warmline.turns import listens
from warmline.values import Conversation, RoleName, Span, Turn

# How an agent answered a cue, by what was said in the turns in which an answer counts.

# Which of two equally strong answers is named; Clark et al. 2013 found cognitive ones to help most.
EMPATHIC = ("cognitive", "affective", "attentive")
# Evidence of empathy -> the name of the answer. Of what models find, only the most reliable.
_SHOWN_AS = {**{kind: kind for kind in EMPATHIC}, "emotional_reaction": "affective"}
_ACTION = frozenset({"commitment", "solution", "ownership", "next_step", "expectation"})
IGNORED = "ignored"
MINIMAL = "minimal_acknowledgement"
DISMISSED = "dismissed"
SOLVED_ONLY = "problem_solved_only"


# An answer may begin while the cue's last word is still heard: a terminal overlap (Heldner & Edlund
# 2010), as in `floor.terminal_overlap_s`.
OVERLAP_S = 0.3
# A dismissal comes soon after the concern, or is about the same matter.
_DISMISSES_WITHIN_S = 30.0
# The rule for "sorry to hear that" and "oh no": beside an apology, what may be said in passing.
_IN_PASSING = "affective.sorry_to_hear"
# What only models say of a turn; and words of no content with which a turn goes on.
_BY_MODELS = frozenset({*MECHANISMS, "uptake"})
_GOES_ON = frozenset({"but", "bye", "thanks", "thank"})
# What invites the customer to go on, apart from what shows empathy.
_INVITES = frozenset({"question_open", "exploration"})
# Uptake (cosine above chance, 0.5 is none) from which a turn builds on what was said before it.
_BUILDS_ON = 0.65


@dataclass(frozen=True)
class CueSpan(Span):
    """A cue to be answered: the customer's words, and the turn they stand in."""

    turn: Turn


@dataclass(frozen=True)
class Answer:
    """The answer to a cue: its name, level 0..2, and the evidence; an ignored cue has none.

    Level 2 is specific: it names this customer's feeling, situation or cause, or shows empathy in
    two ways. Level 1 is general. A dismissal in the same turn leaves no more than 1, and mere
    attention counts for nothing beside it ("I hear you, but calm down"). All else is 0; so is
    "sorry about that" in passing, which is `minimal_acknowledgement`. `is_explicit` and
    `gives_space` are VR-CoDES's two codes.
    """

    name: str
    level: int
    evidence: Moment | None
    is_explicit: bool = False
    gives_space: bool = False


def agents_of(turns: Sequence[Turn], moments: Mapping[int, Sequence[Moment]]) -> dict[int, int]:
    """Return which agent says each turn of agents, numbered from 1 as they come, by turn index.

    A party is one agent, until somebody greets on its channel after the call was passed on.
    """
    found: dict[int, int] = {}
    now: dict[str, int] = {}
    for turn in sorted((t for t in turns if t.role is RoleName.AGENT), key=lambda t: t.start_s):
        takes_over = any(m.kind == "handover" for m in moments.get(turn.index, ()))
        if turn.party not in now or takes_over:
            now[turn.party] = len(set(found.values())) + 1
        found[turn.index] = now[turn.party]
    return found


def heard_by(cue: CueSpan, turns: Sequence[Turn], agents: Mapping[int, int]) -> int | None:
    """Return the number of the agent who heard the cue: the one on the line when it was said.

    That is the agent who spoke last before it, unless only another one speaks after it (the call
    had been transferred). None when no agent speaks in the call. `agents` is from `agents_of`.
    """
    limit_s = cue.end_s - OVERLAP_S
    spoke = sorted((t for t in turns if t.index in agents), key=lambda t: t.start_s)
    before = [agents[t.index] for t in spoke if t.start_s < limit_s]
    after = [agents[t.index] for t in spoke if t.end_s > limit_s]
    if before and (not after or before[-1] in after):
        return before[-1]
    return after[0] if after else None


def answer_to(
    cue: CueSpan,
    turns: Sequence[Turn],
    moments: Mapping[int, Sequence[Moment]],
    settings: EmpathySettings,
) -> Answer | None:
    """Return the answer to a cue by the agent who heard it; None if that agent spoke no more.

    It is looked for in the next `answer_within_turns` turns of this agent, in order of time, in
    which the agent does more than listen ("mm-hm", "okay"). Only words said after the cue answer
    it, even in a turn that had begun before. `moments` are by turn index.
    """
    limit_s = cue.end_s - OVERLAP_S
    agents = agents_of(turns, moments)
    agent = heard_by(cue, turns, agents)
    own = sorted(
        (t for t in turns if agent is not None and agents.get(t.index) == agent),
        key=lambda t: (t.start_s, t.index),
    )
    own = [t for t in own if t.index != cue.turn.index and t.end_s > limit_s]
    said_after = {
        t.index: [
            m for m in moments.get(t.index, ()) if m.role is RoleName.AGENT and m.start_s >= limit_s
        ]
        for t in own
    }
    # In a turn that had begun before, only moments in the rest of it count.
    going_on = [t for t in own if t.start_s < limit_s and said_after[t.index]]
    later = [t for t in own if t.start_s >= limit_s]
    if not going_on and not later:
        return None
    speaking = [t for t in later if not listens(spoken_text(t.text))]
    turns_read = [*going_on, *speaking[: settings.answer_within_turns]]
    answer = _answer([(t, said_after[t.index]) for t in turns_read], cue, settings)
    answering = turns_read[:1]
    if answer.evidence is not None:
        answering = [t for t in turns_read if t.index == answer.evidence.turn_index]
    said = said_after[answering[0].index] if answering else []
    return replace(
        answer,
        is_explicit=bool(answering) and _takes_up(cue, answering[0], said),
        gives_space=answer.name in EMPATHIC or any(m.kind in _INVITES for m in said),
    )


# A turn in which an answer may stand, and what was found in it after the cue.
_Heard = tuple[Turn, Sequence[Moment]]


def _answer(window: Sequence[_Heard], cue: CueSpan, settings: EmpathySettings) -> Answer:
    said = [m for _, own in window for m in own]
    dismissal = _strongest(m for m in said if m.kind == "dismissive" and _is_near(m, cue))
    for place, (turn, own) in enumerate(window):
        if _shows_empathy(own) and (_acts(window[place:]) or not is_in_passing(turn.text, own)):
            return _empathic(own, dismissal is not None, settings)
    return _without_empathy(window, dismissal)


def _is_near(dismissal: Moment, cue: CueSpan) -> bool:
    if dismissal.start_s - cue.end_s <= _DISMISSES_WITHIN_S:
        return True
    return bool(_matter(dismissal.text) & _matter(cue.turn.text))


def _takes_up(cue: CueSpan, answering: Turn, said: Sequence[Moment]) -> bool:
    """Return whether words of the cue's turn return, or the answer's meaning builds on it."""
    if _matter(answering.text) & _matter(cue.turn.text):
        return True
    return any(m.kind == "uptake" and m.strength >= _BUILDS_ON for m in said)


def _matter(text: str) -> frozenset[str]:
    return frozenset(content(spoken_text(text).words))


def _shows_empathy(turn: Sequence[Moment]) -> bool:
    kinds = {m.kind for m in turn}
    return bool(kinds & _SHOWN_AS.keys() - ({"attentive"} if "dismissive" in kinds else set()))


def _empathic(said: Sequence[Moment], dismissed: bool, settings: EmpathySettings) -> Answer:
    """Return the answer: the first turn that shows empathy, named by its strongest words."""
    shown = [m for m in said if m.kind in _SHOWN_AS]
    strongest = min(
        shown, key=lambda m: (-m.strength, EMPATHIC.index(_SHOWN_AS[m.kind]), m.start_s)
    )
    in_two_ways = len({_SHOWN_AS[m.kind] for m in shown}) > 1
    specific = in_two_ways or strongest.strength >= settings.strong_answer
    return Answer(_SHOWN_AS[strongest.kind], 2 if specific and not dismissed else 1, strongest)


def _acts(window: Sequence[_Heard]) -> bool:
    """Return whether the agent does something about the matter in these turns."""
    return any(m.kind in _ACTION for _, own in window for m in own)


def _without_empathy(window: Sequence[_Heard], dismissal: Moment | None) -> Answer:
    if dismissal is not None:
        return Answer(DISMISSED, 0, dismissal)
    said = [m for _, own in window for m in own]
    meant = [
        m
        for place, (turn, own) in enumerate(window)
        for m in own
        if m.kind == "apology"
        and not _is_formula(m, own)
        and (_acts(window[place:]) or not is_in_passing(turn.text, own))
    ]
    if meant:
        return Answer("affective", 1, _strongest(meant))
    if _acts(window):
        return Answer(SOLVED_ONLY, 0, _strongest(m for m in said if m.kind in _ACTION))
    sorry = _strongest(m for m in said if _is_sorry(m))
    return Answer(IGNORED, 0, None) if sorry is None else Answer(MINIMAL, 0, sorry)


def is_in_passing(text: str, said: Sequence[Moment]) -> bool:
    """Return whether all that a turn has for a feeling is a sorry before it goes on.

    "Sorry about that, have a nice day" acknowledges and closes (Del Piccolo et al. 2011: space is
    reduced). A sorry answers when it names the trouble ("sorry that you had to wait"), asks after
    it, or leaves the floor to the customer; and, which is not asked here, when acts follow it.
    """
    sorry = [m for m in said if _is_sorry(m)]
    shown = [m for m in said if m.kind in _SHOWN_AS and not _is_sorry(m)]
    if not sorry or any(not _rests_on(m, sorry) for m in shown):
        return False
    if any(m.kind in _INVITES for m in said):
        return False
    spoken = spoken_text(text)
    of_sorry = _taken(spoken.words, sorry)
    ruled = _taken(spoken.words, [m for m in said if m.kind not in _BY_MODELS])
    own = [s for s in spoken.sentences() if any(of_sorry[slice(*s)])]
    named = [spoken.words[i] for s in own for i in range(*s) if not ruled[i]]
    if any(content(named)):
        return False
    after = [w for w, is_sorry in zip(spoken.words, of_sorry, strict=True) if not is_sorry]
    return any(content(after)) or bool(set(after) & _GOES_ON)


def _is_sorry(moment: Moment) -> bool:
    return moment.kind == "apology" or moment.rule == _IN_PASSING


def _rests_on(moment: Moment, sorry: Sequence[Moment]) -> bool:
    """Return whether a model's reaction is to words that say sorry."""
    heard = moment.kind == "emotional_reaction"
    return heard and any(m.start_s < moment.end_s and moment.start_s < m.end_s for m in sorry)


def _taken(words: Sequence[str], moments: Sequence[Moment]) -> list[bool]:
    """Return of each word whether one of the moments is about it."""
    taken = [False] * len(words)
    for moment in moments:
        own = tuple(spoken_text(moment.text).words)
        for first in range(len(words) - len(own) + 1) if own else ():
            if tuple(words[first : first + len(own)]) == own:
                taken[first : first + len(own)] = [True] * len(own)
    return taken


def _is_formula(apology: Moment, said: Iterable[Moment]) -> bool:
    """Return whether an apology is mere politeness, as "I apologize for the inconvenience" is."""
    return any(
        m.kind == "formula" and m.start_s < apology.end_s and apology.start_s < m.end_s
        for m in said
    )


def _strongest(moments: Iterable[Moment]) -> Moment | None:
    return min(moments, key=lambda m: (-m.strength, m.start_s, m.rule), default=None)


def opportunities(
    conversation: Conversation,
    moments: Sequence[Moment],
    settings: EmpathySettings,
    feelings: Sequence[TurnFeelings] = (),
) -> tuple[Opportunity, ...]:
    """Return the ledger in order of time; cues of one kind in one turn are one row.

    A turn is included when a feeling is at least as probable as `min_feeling`; where no model read
    the words (`feelings` is empty), cues of rules are, from `min_cue_strength` on. Hostile words
    count as a cue of anger. A cue is answered after it was said, by the agent who heard it: another
    agent's words, after a transfer, are neither that agent's credit nor a remedy for what was
    missed.
    """
    by_turn = moments_by_turn(moments)
    agents = agents_of(conversation.turns, by_turn)
    parties = {agents[t.index]: t.party for t in conversation.turns if t.index in agents}
    known = {f.turn_index: f for f in feelings}
    rows = []
    for turn in conversation.turns:
        if turn.role is RoleName.CUSTOMER:
            felt = known.get(turn.index)
            said = by_turn.get(turn.index, ())
            cues_by_kind = cues_in(
                turn, said, felt, settings.min_cue_strength, settings.min_feeling
            )
            for kind, cues in cues_by_kind.items():
                cue = CueSpan(min(c.start_s for c in cues), max(c.end_s for c in cues), turn)
                answer = answer_to(cue, conversation.turns, by_turn, settings)
                agent = heard_by(cue, conversation.turns, agents)
                row = _row(kind, cues, cue, answer, conversation.turns, felt)
                party = None if agent is None else parties[agent]
                rows.append(replace(row, heard_by=party, heard_by_agent=agent))
    return tuple(sorted(rows, key=lambda o: (o.start_s, o.turn_index, o.kind)))


def with_answers(
    feelings: Sequence[TurnFeelings],
    conversation: Conversation,
    moments: Sequence[Moment],
    settings: EmpathySettings,
) -> tuple[TurnFeelings, ...]:
    """Return the feelings of each turn with how it was answered, in the ledger or not.

    Thus a query can apply another threshold than the ledger's.
    """
    by_turn = moments_by_turn(moments)
    turns = {turn.index: turn for turn in conversation.turns}
    found = []
    for felt in feelings:
        cue = CueSpan(felt.start_s, felt.end_s, turns[felt.turn_index])
        answer = answer_to(cue, conversation.turns, by_turn, settings)
        evidence = answer.evidence if answer else None
        found.append(
            replace(
                felt,
                answer=answer.name if answer else None,
                level=answer.level if answer else None,
                answer_turn_index=evidence.turn_index if evidence else None,
                latency_s=_latency_s(cue, evidence, conversation.turns) if evidence else None,
            )
        )
    return tuple(found)


def answered(opportunity: Opportunity) -> bool:
    """Return whether the feeling was answered with empathy; solving or dismissing alone does not
    count.
    """
    return opportunity.answer in EMPATHIC


def moments_by_turn(moments: Sequence[Moment]) -> Mapping[int, Sequence[Moment]]:
    """Return the moments of each turn."""
    by_turn: dict[int, list[Moment]] = {}
    for moment in moments:
        by_turn.setdefault(moment.turn_index, []).append(moment)
    return by_turn


def _row(
    kind: str,
    cues: Sequence[Moment],
    cue: CueSpan,
    answer: Answer | None,
    turns: Sequence[Turn],
    felt: TurnFeelings | None,
) -> Opportunity:
    strongest = max(cues, key=lambda m: m.strength)
    evidence = answer.evidence if answer else None
    return Opportunity(
        start_s=cue.start_s,
        end_s=cue.end_s,
        kind=kind,
        strength=strongest.strength,
        turn_index=strongest.turn_index,
        text=" … ".join(dict.fromkeys(c.text for c in cues)),
        rule=strongest.rule,
        answer=answer.name if answer else None,
        level=answer.level if answer else None,
        answer_turn_index=evidence.turn_index if evidence else None,
        answer_start_s=evidence.start_s if evidence else None,
        answer_end_s=evidence.end_s if evidence else None,
        answer_text=evidence.text if evidence else None,
        answer_rule=evidence.rule if evidence else None,
        latency_s=None if evidence is None else _latency_s(cue, evidence, turns),
        probability=_probability(kind, felt),
        is_explicit=felt.explicit >= felt.implicit if felt else None,
        answer_is_explicit=answer.is_explicit if answer else None,
        answer_gives_space=answer.gives_space if answer else None,
    )


def _probability(kind: str, felt: TurnFeelings | None) -> float | None:
    """Return the probability of any feeling; of confusion alone, where the row is about that."""
    if felt is None:
        return None
    lost = kind == "confusion_powerlessness"
    return felt.confusion_powerlessness if lost else felt.any_negative


def _latency_s(cue: CueSpan, evidence: Moment, turns: Sequence[Turn]) -> float:
    """Return the time to the start of the answering turn, or of the answer if that turn began
    before.
    """
    turn = next(t for t in turns if t.index == evidence.turn_index)
    begins_s = turn.start_s if turn.start_s >= cue.end_s - OVERLAP_S else evidence.start_s
    # An answer may overlap the cue's last word: no time passed.
    return max(0.0, begins_s - cue.end_s)


# What the empathy measures of one call share.


_RULE = "rule with evidence"
CLARK = "Clark, Murfett, Rogers & Ang 2013"

# Version of what depends on the moments that are read: 2 since models read them beside more rules,
# 3 since agents' turns are read clause by clause, 4 since mere attention beside a dismissal is a
# dismissal, and prices by the month are offers, 5 since a multilingual model reads customers'
# turns, an answer follows its cue in time and is by the agent who heard it, and courtesy, holds and
# instructions are classed as such, 6 since that model is the mean of three, 7 since it reads a turn
# after what the agent said last, 8 since asking for details is no promise, a deed that is told is
# no warmth, and a sorry in passing is no answer, 9 since what "could not be" worse is no denial,
# 11 since what an agent offers to do is a next step.
MOMENTS_VERSION = 11


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
    level: str, name: str, what: str, source: str = _RULE, validated: str = "no"
) -> MetricDefinition:
    """Return the definition of a number of what was said."""
    what = f"number of {what}"
    return MetricDefinition(name, level, "count", what, source, MOMENTS_VERSION, validated)


def shared(
    level: str, name: str, what: str, source: str = _RULE, validated: str = "no"
) -> MetricDefinition:
    """Return the definition of a share, or of a yes (1) or no (0)."""
    return MetricDefinition(name, level, "share", what, source, MOMENTS_VERSION, validated)
