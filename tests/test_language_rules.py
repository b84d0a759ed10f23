"""The built-in rules keep their word; a QA lead's own are read, checked, named when broken."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmline.errors import SettingsError
from warmline.language import fingerprint
from warmline.language.rulebook import DENIAL, KINDS, RULE_KINDS, UNFELT, LanguageRule, rulebook
from warmline.phrases import Matcher, broken_examples, spoken_text
from warmline.settings import LanguageSettings
from warmline.values import RoleName

BUILT_IN = rulebook(LanguageSettings()).rules
EXAMPLES = [(rule, matcher, e) for rule, matcher in BUILT_IN for e in rule.matches]


@pytest.mark.parametrize(("rule", "matcher"), BUILT_IN, ids=[r.id for r, _ in BUILT_IN])
def test_every_rule_does_what_its_examples_say(rule: LanguageRule, matcher: Matcher) -> None:
    assert broken_examples(rule, matcher.find) == []
    assert rule.misses, "a rule says what it must not match"


def test_every_kind_that_rules_may_define_has_a_rule() -> None:
    assert {rule.kind for rule, _ in BUILT_IN} == RULE_KINDS
    assert {*KINDS, DENIAL, UNFELT} > RULE_KINDS


FILLERS = ["um", "uh,", "er", "mm", "[noise]", "hmm,"]


@given(st.sampled_from(EXAMPLES), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=400)
def test_stumbling_does_not_change_what_is_said(
    example: tuple[LanguageRule, Matcher, str], chance: random.Random
) -> None:
    """Fillers, repeated words and capitals, as people speak and recognisers write."""
    _, matcher, text = example
    spoken: list[str] = []
    for word in text.split():
        if chance.random() < 0.3:
            spoken.append(chance.choice(FILLERS))
        if chance.random() < 0.2:
            spoken.append(word.rstrip(".,?!"))
        spoken.append(word.upper() if chance.random() < 0.2 else word)
    assert matcher.find(spoken_text(" ".join(spoken)))


@given(st.sampled_from(EXAMPLES))
@settings(deadline=None, max_examples=400)
def test_rules_need_no_punctuation(example: tuple[LanguageRule, Matcher, str]) -> None:
    _, matcher, text = example
    bare = "".join(c for c in text.lower() if c.isalnum() or c in " '-")
    assert matcher.find(spoken_text(bare)), bare


NAMED_FEELINGS = ["worried", "scared", "angry", "upset", "frustrated", "disappointed", "confused"]
DENIALS = [
    "I'm not {}",
    "I'm not really that {} about it",
    "I don't think I'm {}",
    "I'm not saying I'm {}",
    "I was never {}",
    "if I was {} I'd tell you",
    "it's not that I'm {}",
    "I'm not {} with you",
]


@pytest.mark.parametrize("denial", DENIALS)
@pytest.mark.parametrize("feeling", NAMED_FEELINGS)
def test_a_feeling_denied_or_imagined_is_no_cue(feeling: str, denial: str) -> None:
    assert cues(denial.format(feeling)) == set()


@pytest.mark.parametrize("feeling", NAMED_FEELINGS)
def test_a_feeling_affirmed_is_a_cue_whatever_stands_before(feeling: str) -> None:
    for said in ("I'm {}", "no I'm {}", "it's not here and I'm {}", "I've never been so {}"):
        assert len(cues(said.format(feeling))) == 1, said


UNSURPASSED = [
    "I couldn't be more {}",
    "I could not have been any more {}",
    "I've never been more {}",
    "I don't think I've ever been so {}",
]


@pytest.mark.parametrize("said", UNSURPASSED)
@pytest.mark.parametrize("feeling", NAMED_FEELINGS)
def test_a_feeling_that_could_not_be_stronger_is_not_denied(said: str, feeling: str) -> None:
    book = rulebook(LanguageSettings())
    assert cues(said.format(feeling))
    assert not book.unread(spoken_text(said.format(feeling)))
    assert book.unread(spoken_text(f"I'm not more {feeling} than before")).sentences


def cues(text: str, role: RoleName = RoleName.CUSTOMER) -> set[str | None]:
    found = rulebook(LanguageSettings()).find(spoken_text(text), role)
    return {rule.label for rule, _, _ in found if rule.kind == "cue"}


@given(st.lists(st.sampled_from([e for _, _, e in EXAMPLES]), max_size=4).map(" ".join))
@settings(deadline=None, max_examples=100)
def test_rules_read_only_the_words_of_their_own_role(text: str) -> None:
    book = rulebook(LanguageSettings())
    said = spoken_text(text)
    for role in RoleName:
        for rule, first, past in book.find(said, role):
            assert 0 <= first < past <= len(said.words)
            who = (rule.role or KINDS[rule.kind][0]).value
            assert who in ("any", role.value)


OWN = """
[lists]
pets = ["dog", "cat"]
[[rule]]
id = "own.pet"
kind = "cue"
label = "fear_anxiety"
strength = 0.8
patterns = ["my <pets> is ill"]
matches = ["My dog is ill."]
misses = ["my dog is well"]
"""


def own_rules(folder: Path, text: str) -> LanguageSettings:
    (folder / "mine.toml").write_text(text)
    return LanguageSettings(rules_folder=str(folder))


def test_a_qa_lead_adds_rules_in_a_folder(tmp_path: Path) -> None:
    chosen = own_rules(tmp_path, OWN)
    rules = rulebook(chosen).rules
    assert [r.id for r, _ in rules][-1] == "own.pet"
    assert len(rules) == len(BUILT_IN) + 1
    found = rulebook(chosen).find(spoken_text("well my cat is ill you see"), RoleName.CUSTOMER)
    assert [(rule.id, first, past) for rule, first, past in found] == [("own.pet", 1, 5)]


def test_an_own_rule_replaces_the_built_in_one_with_its_id(tmp_path: Path) -> None:
    chosen = own_rules(tmp_path, OWN.replace("own.pet", "fear.named"))
    rules = rulebook(chosen).rules
    assert len(rules) == len(BUILT_IN)
    (replaced,) = [r for r, _ in rules if r.id == "fear.named"]
    assert replaced.matches == ("My dog is ill.",)


def test_own_rules_may_use_the_built_in_lists(tmp_path: Path) -> None:
    text = OWN.replace("my <pets> is ill", "my <pets> is <fear>")
    text = text.replace("My dog is ill", "My dog is scared")
    assert rulebook(own_rules(tmp_path, text)).find(
        spoken_text("my cat is terrified"), RoleName.CUSTOMER
    )


@pytest.mark.parametrize(
    ("before", "after", "complaints"),
    [
        ('"cue"', '"cues"', ("own.pet", "kind", "cues", "no such kind")),
        ('"fear_anxiety"', '"fright"', ("own.pet", "fright", "fear_anxiety")),
        ("0.8", "1.8", ("own.pet", "strength", "1.8")),
        ("<pets>", "<pet>", ("own.pet", "patterns", "'pet'")),
        ("My dog is ill.", "My hen is ill.", ("own.pet", "matches", "My hen is ill.")),
        ("my dog is well", "my dog is ill", ("own.pet", "misses", "my dog is ill")),
        ("strength", "force", ("own.pet", "force")),
        ("pets =", "fear =", ("mine.toml", "list 'fear' exists already")),
        ('id = "own.pet"', "", ("mine.toml", "rule '?'", "id")),
        ('"own.pet"', '"Own Pet"', ("mine.toml", "Own Pet")),
    ],
)
def test_a_broken_rule_file_is_refused_by_file_rule_and_key(
    tmp_path: Path, before: str, after: str, complaints: tuple[str, ...]
) -> None:
    chosen = own_rules(tmp_path, OWN.replace(before, after, 1))
    with pytest.raises(SettingsError) as caught:
        rulebook(chosen)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    for complaint in complaints:
        assert complaint in str(caught.value)


def test_an_id_used_twice_in_one_file_is_refused(tmp_path: Path) -> None:
    twice = OWN + OWN[OWN.index("[[rule]]") :]
    with pytest.raises(SettingsError, match=r"own\.pet.*twice"):
        rulebook(own_rules(tmp_path, twice))


def test_a_changed_rule_changes_the_fingerprint(tmp_path: Path) -> None:
    plain = fingerprint(LanguageSettings())
    first = fingerprint(own_rules(tmp_path, OWN))
    second = fingerprint(own_rules(tmp_path, OWN.replace("0.8", "0.7")))
    assert len({plain, first, second}) == 3
    assert second == fingerprint(own_rules(tmp_path, OWN.replace("0.8", "0.7")))
