"""Counselling sessions as the language stage reads them, beside what people labelled (AnnoMI)."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from warmline.analysis import Moment
from warmline.language.rule_moments import read_acts, rule_moments
from warmline.language.rulebook import Rulebook, rulebook
from warmline.language.speech_acts import Act, SaidAct
from warmline.language.windows import score_windows, turn_texts_of, uptake
from warmline.models.engines import Engines
from warmline.settings import LanguageSettings
from warmline.values import RoleName

from .labelled import Session, Utterance

BEHAVIOURS = ("reflection", "question", "therapist_input", "other")
# AnnoMI's input is information, advice, options, goals; who argues brings in their own view, too.
INPUT = frozenset({Act.INFORMATION, Act.ADVICE, Act.CONFRONTATION})


@dataclass(frozen=True)
class Read:
    """One therapist's utterance as the language stage reads it, beside its labels."""

    session_id: str
    labels: Utterance
    acts: tuple[SaidAct, ...]
    kinds: frozenset[str]
    uptake: float
    words: int

    def does(self, *acts: Act) -> bool:
        """Whether a clause does one of these, whatever else it does."""
        return any(a.does & set(acts) for a in self.acts)

    @property
    def asks(self) -> bool:
        """Whether it asks anything."""
        return any(a.act is Act.QUESTION for a in self.acts)

    @property
    def reflects(self) -> bool:
        """Whether it says anything back."""
        return any(a.act is Act.REFLECTION for a in self.acts)

    @property
    def informs(self) -> bool:
        """Whether it brings in anything of the therapist's own."""
        return any(a.act in INPUT for a in self.acts)

    @property
    def behaviour(self) -> int:
        """The main behaviour, as a place in `BEHAVIOURS`: the one with the most words.

        What is told only to ask ("... and what do you think?") belongs to the question after it.
        """
        words = [
            sum(a.past - a.first for a in self.acts if a.act in acts)
            for acts in ({Act.REFLECTION}, {Act.QUESTION}, INPUT)
        ]
        if not any(words):
            return BEHAVIOURS.index("other")
        telling = [a for a in self.acts if a.act in {Act.REFLECTION, Act.QUESTION, *INPUT}]
        asks_last = telling[-1].act is Act.QUESTION
        main = int(np.argmax(words))
        is_preamble = BEHAVIOURS[main] == "therapist_input" and asks_last
        return BEHAVIOURS.index("question") if is_preamble else main


@dataclass(frozen=True, eq=False)
class ReadSession:
    """A session's therapist utterances as they were read, and how much the client said."""

    session: Session
    therapist: tuple[Read, ...]
    client_words: int


def read_session(session: Session, engines: Engines) -> ReadSession:
    """A session read as a call is: the therapist as the agent, the client as the customer."""
    roles = [RoleName.AGENT if u.is_therapist else RoleName.CUSTOMER for u in session.utterances]
    texts = [u.text for u in session.utterances]
    turn_texts = turn_texts_of(list(zip(roles, texts, strict=True)))
    heard = score_windows(turn_texts, engines)
    acts = read_acts(turn_texts, _book(), heard)
    moments: dict[int, list[Moment]] = {}
    for moment in rule_moments(turn_texts, _book(), heard):
        moments.setdefault(moment.turn_index, []).append(moment)
    taken_up = _uptake(session, engines)
    therapist = tuple(
        Read(
            session.session_id,
            utterance,
            acts.get(index, ()),
            frozenset(m.kind for m in moments.get(index, ())),
            taken_up.get(index, float("nan")),
            len(utterance.text.split()),
        )
        for index, utterance in enumerate(session.utterances)
        if utterance.is_therapist
    )
    client = sum(len(u.text.split()) for u in session.utterances if not u.is_therapist)
    return ReadSession(session, therapist, client)


def _uptake(session: Session, engines: Engines) -> dict[int, float]:
    """Uptake of every therapist's utterance, by its place, of what the client said right before."""
    places, replies, before = [], [], []
    client = ""
    for place, utterance in enumerate(session.utterances):
        if not utterance.is_therapist:
            client = utterance.text
        elif client.strip():
            places.append(place)
            replies.append(utterance.text)
            before.append(client)
    found = uptake(replies, before, engines) if replies else np.zeros(0)
    return dict(zip(places, found.tolist(), strict=True))


@cache
def _book() -> Rulebook:
    return rulebook(LanguageSettings())
