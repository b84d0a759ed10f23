"""Assign roles to parties: from the metadata, else cautiously from the words, else unknown.

The inference compares every assignment of roles, and the option of assigning none, by the sum of
the log-odds of `roles.toml` (a naive Bayes model). The confidence of a party's role is its
posterior probability; below `turns.min_role_confidence` the role is unknown.
"""

import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import product
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from warmline.phrases import Matcher, PhraseRule, RuleFile, parse_rules, spoken_text
from warmline.settings import TurnSettings
from warmline.values import CallMetadata, ChannelLayout, Role, RoleName, Turn

# Reads turns as a network does: the log-odds that a turn is an agent's, by turn index.
ReadTurns = Callable[[Sequence[Turn]], Mapping[int, float]]
NOTHING_READ: Mapping[int, float] = MappingProxyType({})

# Which of two parties behaves like the agent, in any language: who opens, who asks, and, where a
# network has read the turns, who sounds like one.

# The model reads the opening, as the middle of a call is alike on both sides.
_TURNS = 16
_QUESTION = re.compile(r"\?")
# A turn's log-odds count up to here; and as if this many more turns had told nothing.
_CLEAREST, _SILENT_TURNS = 4.0, 2.0


def behaves_like_the_agent(
    turns: Sequence[Turn],
    first: str,
    second: str,
    direction: str | None,
    agent_log_odds: Mapping[int, float] = NOTHING_READ,
) -> float:
    """Return the log-odds that of two parties `first` is the agent, by what the two do.

    `agent_log_odds` are those that a turn is an agent's, by turn index, as a network read them.
    """
    weights = _weights("read" if agent_log_odds else "words_alone")
    found = differences(turns, first, second, agent_log_odds)
    opens = found["opens"] * (-1.0 if direction == "outbound" else 1.0)
    return sum(weight * {**found, "opens": opens}[name] for name, weight in weights.items())


def differences(
    turns: Sequence[Turn],
    first: str,
    second: str,
    agent_log_odds: Mapping[int, float] = NOTHING_READ,
) -> Mapping[str, float]:
    """Return what `first` does more than `second` in the opening, feature by feature.

    `opens` is 1 when it speaks first, -1 when the other does; `questions` is the difference of the
    shares of turns that hold a question, `sounds` that of the mean log-odds of being an agent's.
    """
    opening = [t for t in turns if t.text.strip()][:_TURNS]
    own, other = ([t for t in opening if t.party == p] for p in (first, second))
    opens = 0.0 if not opening else 1.0 if opening[0].party == first else -1.0
    return {
        "opens": opens,
        "questions": _share(own, _QUESTION) - _share(other, _QUESTION),
        "sounds": _mean(own, agent_log_odds) - _mean(other, agent_log_odds),
    }


def _mean(turns: Sequence[Turn], agent_log_odds: Mapping[int, float]) -> float:
    told = [agent_log_odds[t.index] for t in turns if t.index in agent_log_odds]
    clear = sum(max(-_CLEAREST, min(_CLEAREST, value)) for value in told)
    return clear / (len(told) + _SILENT_TURNS)


def _share(turns: Sequence[Turn], pattern: re.Pattern[str]) -> float:
    return sum(bool(pattern.search(t.text)) for t in turns) / max(1, len(turns))


@cache
def _weights(table: str) -> Mapping[str, float]:
    text = files("warmline.turns").joinpath("behaviour.toml").read_text(encoding="utf-8")
    return {name: float(weight) for name, weight in tomllib.loads(text)[table].items()}


# The rules of `roles.toml` and `languages/`: which words indicate which role, and how strongly.


_FILE, _LANGUAGES, _ENGLISH = "roles.toml", "languages", "en"
# Turns of the call, of all parties, that open and close it. The middle counts less: the longer two
# people talk, the likelier either says anything once.
_OPENING_TURNS = 10
_CLOSING_TURNS = 8
_IN_BETWEEN = 0.4
# A service call names its subject early; a long talk about anything names everything once.
_TOPIC, _TOPIC_TURNS, _FEW_WORDS = "service.topic", 16, 80


class RoleRule(PhraseRule):
    """A `[[rule]]` of `roles.toml`: log-odds of saying this, by role.

    One with `needs_topic` fits any talk in which somebody seeks help, and applies only where
    service topics are mentioned.
    """

    weights: dict[RoleName, float] = Field(min_length=1)
    over_sentences: bool = True
    needs_topic: bool = False
    at: Literal["opening", "closing", "either"] = "either"
    direction: Literal["inbound", "outbound"] | None = None

    def weight_for(self, role: RoleName) -> float:
        """Return the log-odds of this rule for a role; zero for a role it does not mention."""
        return self.weights.get(role, 0.0)

    def place_factor(self, index: int, turn_count: int) -> float:
        """Return how much of the weight counts at this position in the call."""
        opens = index < _OPENING_TURNS and self.at != "closing"
        closes = index >= turn_count - _CLOSING_TURNS and self.at != "opening"
        return 1.0 if opens or closes else _IN_BETWEEN


@cache
def role_rules(language: str = _ENGLISH) -> tuple[tuple[RoleRule, Matcher], ...]:
    """Return the rules for calls in a language (`en`, `de`, ...), compiled; none where none are."""
    name = _FILE if language == _ENGLISH else f"{_LANGUAGES}/{language}.toml"
    file = files("warmline.turns").joinpath(name)
    if not file.is_file():
        return ()
    rules, _ = parse_rules(RuleFile(name, file.read_text(encoding="utf-8")), RoleRule, {}, language)
    return tuple(rules)


def is_about_service(turns: Sequence[Turn], language: str | None) -> bool:
    """Return whether things of service are named early: two, or one in a few words."""
    language = language or _ENGLISH
    opening = [spoken_text(turn.text, language) for turn in turns[:_TOPIC_TURNS]]
    matchers = [matcher for rule, matcher in role_rules(language) if rule.id == _TOPIC]
    named = {s.words[past - 1] for m in matchers for s in opening for _, past in m.find(s)}
    word_count = sum(len(said.words) for said in opening)
    return len(named) >= (1 if word_count < _FEW_WORDS else 2)


@cache
def role_languages() -> tuple[str, ...]:
    """Return the languages that have role words."""
    folder = files("warmline.turns").joinpath(_LANGUAGES)
    names = (file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    return (_ENGLISH, *sorted(name.removesuffix(".toml") for name in names))


def role_evidence(
    turns: Sequence[Turn], party: str, direction: str | None, language: str | None = None
) -> tuple[tuple[RoleRule, float], ...]:
    """Return what a party's words say: the rules that match, with how much of each weight counts.

    A call of unknown language is read as English.
    """
    language = language or _ENGLISH
    on_topic = is_about_service(turns, language)
    own = [
        (place, spoken_text(t.text, language)) for place, t in enumerate(turns) if t.party == party
    ]
    evidence = []
    for rule, matcher in role_rules(language):
        if rule.direction not in (None, direction) or rule.id == _TOPIC:
            continue
        if rule.needs_topic and not on_topic:
            continue
        places = [place for place, said in own if matcher.find(said)]
        if places:
            factor = max(rule.place_factor(place, len(turns)) for place in places)
            evidence.append((rule, factor))
    return tuple(evidence)


# Log-odds that a recording is no service call of the usual kind, where no words say so. One strong
# hint (2.5) then tells nothing by itself, two give a confidence of about 0.85. Set so that few of
# 87 counselling sessions, which are no service calls, were taken for one.
_NO_SERVICE_CALL = 3.0
# Less so where things of service are named, and where somebody wrote down who called whom.
_NAMED_TOPICS_TAKE, _KNOWN_DIRECTION_TAKES = 2.0, 1.0
# A network needs no such words: it tells who helps and who is helped in any talk (in counselling
# sessions the therapist is the agent).
_NO_SERVICE_CALL_READ = 0.0
# How much better, in log-odds, the words must fit the roles than the same roles swapped.
_LEAST_MARGIN = 2.0
# How far words and behaviour may point in opposite directions.
_CONTRADICTION = 2.0
_DIRECTIONS = frozenset({"inbound", "outbound"})
# A recorded voice, or a third party that is neither, is rarer than an agent or a customer.
_RARER = {RoleName.IVR: -1.0, RoleName.OTHER: -0.5}
# What a person says speaks against a recording.
_SAID_BY_A_PERSON = -2.0
_MAX_NAMED_RULES = 4
_FIRST_IS_AGENT: tuple[RoleName, ...] = (RoleName.AGENT, RoleName.CUSTOMER)

Evidence = tuple[tuple[RoleRule, float], ...]


def assign_roles(
    turns: Sequence[Turn],
    parties: Sequence[str],
    layout: ChannelLayout,
    metadata: CallMetadata,
    settings: TurnSettings,
    language: str | None = None,
    read: ReadTurns | None = None,
    doubt: str | None = None,
    told_apart: float = 1.0,
) -> tuple[Role, ...]:
    """Return the role of every party, in the order of `parties`.

    `metadata.channel_roles` decides where channels are speakers; its numbers are those of the
    recording's channels, dropped ones included. Otherwise the words do, with a confidence; several
    parties may be agents (a transfer). `UNKNOWN` comes with the reason. `read` is asked
    about two parties whose roles the metadata do not tell. `doubt` says why it is not sure which
    party said what, if so: then words tell no roles. `told_apart` is how sure it is that the
    parties are different people, which a role needs that only follows from another party's.
    """
    remark = None
    if metadata.channel_roles:
        remark = _missing_channels(metadata.channel_roles, layout)
        channels = _channels_of(parties, turns, layout)
        if channels and not remark:
            told = _from_metadata(parties, channels, metadata.channel_roles, layout)
            if any(role.name is not RoleName.UNKNOWN for role in told):
                return told
    if doubt is None:
        roles = _from_words(turns, parties, metadata, settings, language, read, told_apart)
    else:
        roles = _all_unknown(parties, 0.0, doubt)
    if remark is None:
        return roles
    return tuple(replace(role, reason=f"{role.reason}; {remark}") for role in roles)


def _missing_channels(channel_roles: Mapping[str, str], layout: ChannelLayout) -> str | None:
    """Return why the metadata's roles are ignored: they may number channels differently."""
    missing = sorted({int(c) for c in channel_roles if int(c) >= layout.channel_count})
    if not missing:
        return None
    named = ", ".join(map(str, missing))
    there = "0 only" if layout.channel_count == 1 else f"0 to {layout.channel_count - 1}"
    return f"metadata name channel {named}, but the recording has {there}: its roles are not used"


def _channels_of(
    parties: Sequence[str], turns: Sequence[Turn], layout: ChannelLayout
) -> Sequence[int | None]:
    """Return the recording's own number of each party's channel; nothing where they share one.

    It is None for a party that is heard on no channel, where several may be its own.
    """
    if layout.kind == "stereo":
        return layout.kept or range(len(parties))
    if layout.lacks_a_party and len({turn.party for turn in turns}) == 1:
        (live,) = layout.kept
        other = 1 - live if layout.channel_count == 2 else None
        return (live, *(other for _ in parties[1:]))
    return ()


def _from_metadata(
    parties: Sequence[str],
    channels: Sequence[int | None],
    channel_roles: Mapping[str, str],
    layout: ChannelLayout,
) -> tuple[Role, ...]:
    named = [_name_for(channel, channel_roles, layout) for channel in channels]
    known = {role.value: role for role in RoleName if role is not RoleName.UNKNOWN}
    counterpart = {RoleName.AGENT: RoleName.CUSTOMER, RoleName.CUSTOMER: RoleName.AGENT}
    roles = []
    for place, (party, channel, name) in enumerate(zip(parties, channels, named, strict=True)):
        role = known.get((name or "").strip().lower(), RoleName.UNKNOWN)
        reason = f"metadata: channel {channel} is '{name}'"
        if role is RoleName.UNKNOWN and name is not None:
            reason = f"metadata: channel {channel} is '{name}', which is none of {sorted(known)}"
        elif role is RoleName.UNKNOWN and len(parties) == 2:
            other = known.get((named[1 - place] or "").strip().lower(), RoleName.UNKNOWN)
            role = counterpart.get(other, RoleName.UNKNOWN)
            reason = f"metadata: the other channel is '{named[1 - place]}'"
        elif role is RoleName.UNKNOWN:
            reason = "metadata say nothing of " + (
                "a party that is heard on no channel" if channel is None else f"channel {channel}"
            )
        certainty = 0.0 if role is RoleName.UNKNOWN else 1.0
        roles.append(Role(party, role, certainty, "metadata", reason))
    return tuple(roles)


def _name_for(
    channel: int | None, channel_roles: Mapping[str, str], layout: ChannelLayout
) -> str | None:
    """Return the metadata's role of a channel, or of the channels dropped as copies of it."""
    if channel is None:
        return None
    alike = {channel}
    for copy in reversed(layout.copies):  # a copy may have stood for others before
        if copy.kept in alike:
            alike.add(copy.dropped)
    names = [channel_roles[key] for key in map(str, sorted(alike)) if key in channel_roles]
    return " and ".join(dict.fromkeys(names)) or None


def _from_words(
    turns: Sequence[Turn],
    parties: Sequence[str],
    metadata: CallMetadata,
    settings: TurnSettings,
    language: str | None,
    read: ReadTurns | None,
    told_apart: float,
) -> tuple[Role, ...]:
    if read is None and language is not None and language not in role_languages():
        known = ", ".join(role_languages())
        return _all_unknown(parties, 0.0, f"no role words are known in '{language}' (in {known})")
    direction = (metadata.direction or "").strip().lower() or None
    evidence = [role_evidence(turns, party, direction, language) for party in parties]
    heard = read(turns) if read is not None and len(parties) == 2 else NOTHING_READ
    if not any(evidence) and not heard:
        return _all_unknown(parties, 0.0, "nothing was said that tells agent from customer")
    leaning = 0.0
    if len(parties) == 2:
        leaning = behaves_like_the_agent(turns, parties[0], parties[1], direction, heard)
    doubt = _NO_SERVICE_CALL_READ if heard else _doubt(turns, direction, language)
    posterior = _posterior(evidence, leaning, doubt)
    best = [max(shares.items(), key=lambda s: s[1]) for shares in posterior]
    if len(parties) == 2 and _speaks_for_both(best, evidence, leaning if heard else 0.0):
        return _all_unknown(parties, 0.5, "what was said speaks for either party being the agent")
    best = [
        (name, confidence if _named(said, name) else confidence * told_apart)
        for (name, confidence), said in zip(best, evidence, strict=True)
    ]
    # Between two parties the roles depend on each other; among more, each stands for itself.
    weakest = min(confidence for _, confidence in best)
    if len(parties) <= 2 and weakest < settings.min_role_confidence:
        return _all_unknown(parties, weakest, _too_weak(weakest, settings))
    return tuple(
        Role(party, name, confidence, "words", _because(name, party, parties, evidence))
        if confidence >= settings.min_role_confidence
        else Role(party, RoleName.UNKNOWN, confidence, "words", _too_weak(confidence, settings))
        for party, (name, confidence) in zip(parties, best, strict=True)
    )


def _doubt(turns: Sequence[Turn], direction: str | None, language: str | None) -> float:
    """Return the log-odds that the words are of no service call."""
    about_service = is_about_service(turns, language)
    return (
        _NO_SERVICE_CALL
        - (_NAMED_TOPICS_TAKE if about_service else 0.0)
        - (_KNOWN_DIRECTION_TAKES if direction in _DIRECTIONS else 0.0)
    )


def _speaks_for_both(
    best: Sequence[tuple[RoleName, float]], evidence: Sequence[Evidence], leaning: float
) -> bool:
    """Return whether two parties could nearly as well have each other's roles.

    What the two do (`leaning`) counts beside the words where a network has read them; where one
    of the two clearly contradicts the other, neither is believed.
    """
    names = [name for name, _ in best]
    if set(names) != set(_FIRST_IS_AGENT):
        return False
    given, turned = (
        sum(_score(role, said) for role, said in zip(roles, evidence, strict=True))
        for roles in (names, names[::-1])
    )
    told, done = given - turned, leaning if names[0] is RoleName.AGENT else -leaning
    return told + done < _LEAST_MARGIN or min(told, done) < -_CONTRADICTION


def _posterior(
    evidence: Sequence[Evidence], leaning: float, doubt: float
) -> list[dict[RoleName, float]]:
    """Return each party's probability of each role over all assignments of roles.

    `leaning` are the log-odds, from behaviour, that of two parties the first is the agent, `doubt`
    those that this is no service call.
    """
    scores: dict[tuple[RoleName, ...], float] = {
        roles: sum(_score(role, said) for role, said in zip(roles, evidence, strict=True))
        for roles in _ways(len(evidence))
    }
    for way, roles in ((1, _FIRST_IS_AGENT), (-1, _FIRST_IS_AGENT[::-1])):
        if roles in scores:
            scores[roles] += way * leaning / 2
    highest = max(doubt, *scores.values()) if scores else doubt
    total = math.exp(doubt - highest)
    total += sum(math.exp(score - highest) for score in scores.values())
    shares: list[dict[RoleName, float]] = [dict.fromkeys(RoleName, 0.0) for _ in evidence]
    for roles, score in scores.items():
        for party, role in enumerate(roles):
            shares[party][role] += math.exp(score - highest) / total
    for share in shares:
        del share[RoleName.UNKNOWN]
    return shares


def _ways(party_count: int) -> list[tuple[RoleName, ...]]:
    """Return all assignments of roles that make a service call, or a recording that was reached.

    A single voice may be two people that were not told apart, so that it can only be recognised
    as a recording. Between two there is one of each; among more, several agents or others.
    """
    if party_count == 1:
        return [(RoleName.IVR,)]
    speaking = [RoleName.AGENT, RoleName.CUSTOMER, RoleName.IVR]
    if party_count == 2:
        return [(a, b) for a, b in product(speaking, repeat=2) if a is not b]
    return [
        roles
        for roles in product([*speaking, RoleName.OTHER], repeat=party_count)
        if RoleName.CUSTOMER in roles and (RoleName.AGENT in roles or RoleName.IVR in roles)
    ]


def _score(role: RoleName, said: Evidence) -> float:
    score = _RARER.get(role, 0.0)
    for rule, factor in said:
        if role is RoleName.IVR and RoleName.IVR not in rule.weights:
            score += factor * _SAID_BY_A_PERSON
        else:
            score += factor * rule.weight_for(role)
    return score


def _because(
    name: RoleName, party: str, parties: Sequence[str], evidence: Sequence[Evidence]
) -> str:
    own = _named(evidence[list(parties).index(party)], name)
    if own:
        return f"said what {name.value}s say: {own}"
    if not any(evidence):
        return f"sounds like the {name.value} to the network that read the turns"
    others = ", ".join(p for p in parties if p != party)
    return f"follows from what the other party said ({others})"


def _named(said: Evidence, role: RoleName) -> str:
    """Return the weightiest rules for a role, by name: never the words themselves."""
    speaking = [(factor * rule.weight_for(role), rule.id) for rule, factor in said]
    ranked = sorted((s for s in speaking if s[0] > 0), key=lambda s: (-s[0], s[1]))
    return ", ".join(rule_id for _, rule_id in ranked[:_MAX_NAMED_RULES])


def _too_weak(confidence: float, settings: TurnSettings) -> str:
    return (
        f"what was said gives a confidence of {confidence:.2f}, "
        f"below turns.min_role_confidence = {settings.min_role_confidence:.2f}"
    )


def _all_unknown(parties: Sequence[str], confidence: float, reason: str) -> tuple[Role, ...]:
    return tuple(Role(p, RoleName.UNKNOWN, confidence, "words", reason) for p in parties)
