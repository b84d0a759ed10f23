"""Speech made comparable, phrase templates, and rule files."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import SettingsError
from warmline.phrases import (
    NamedLists,
    PhraseRule,
    RuleFile,
    TemplateError,
    compile_template,
    is_negated,
    parse_rules,
    rule_files,
    spoken,
    spoken_text,
)

LISTS = {"worry": ("worried", "sick with worry"), "very": ("so", "very")}


def words(text: str) -> str:
    return " ".join(spoken_text(text).words)


def found(pattern: str, text: str) -> list[str]:
    said = spoken_text(text)
    return [
        " ".join(said.words[a:b])
        for a, b in compile_template(pattern, NamedLists(LISTS)).find(said)
    ]


@pytest.mark.parametrize(
    ("written", "comparable"),
    [
        ("I'm SURE you’re right, it's fine.", "i am sure you are right it is fine"),
        ("It's been a week; I'd been told.", "it has been a week i had been told"),
        ("I can't, won't, shan't", "i can not will not shall not"),
        ("im worried, dont you", "i am worried do not you"),
        ("Um, so, uh, I [background noise] paid", "so i paid"),
        ("I was, I was th- thinking thinking", "i was thinking"),
        ("my follow-up: the customer's card", "my follow up the customers card"),
        ("gonna gimme 'em, y'all", "going to give me them you all"),
        ("", ""),
    ],
)
def test_speech_is_made_comparable(written: str, comparable: str) -> None:
    assert words(written) == comparable


def test_sources_point_at_the_words_as_they_were_recognised() -> None:
    source = ["Um,", "I'm", "I'm", "worried.", "[noise]", "Can't", "you", "see?"]
    said = spoken(source)
    assert [(w, source[i]) for w, i in zip(said.words, said.sources, strict=True)] == [
        ("i", "I'm"),
        ("am", "I'm"),
        ("worried", "worried."),
        ("can", "Can't"),
        ("not", "Can't"),
        ("you", "you"),
        ("see", "see?"),
    ]
    assert said.sources[0] == 2
    assert said.sentences() == [(0, 3), (3, 7)]
    assert [m for m in said.marks if m] == [".", "?"]


@given(
    st.lists(
        st.sampled_from(
            ["I'm", "don't", "um", "so", "so,", "worried.", "yes?", "[x]", "card", "th-", "no-one"]
        )
    )
)
def test_what_is_comparable_stays_as_it_is(source: list[str]) -> None:
    once = spoken(source).words
    assert spoken(once).words == once


@given(st.text(max_size=60))
def test_any_text_can_be_made_comparable(text: str) -> None:
    said = spoken_text(text)
    assert len(said.words) == len(said.sources) == len(said.marks)
    assert all(a <= b for a, b in zip(said.sources, said.sources[1:], strict=False))
    for offset in range(len(said.line)):
        assert 0 <= said.word_at(offset) < len(said.words)


@pytest.mark.parametrize(
    ("pattern", "text", "hits"),
    [
        ("i am worried", "Well, I'm worried about it", ["i am worried"]),
        ("i am <very>? <worry>", "I'm so sick with worry", ["i am so sick with worry"]),
        ("worr*", "worries worrying sorry", ["worries", "worrying"]),
        ("(really|very)? upset", "very upset and upset", ["very upset", "upset"]),
        ("i ... upset", "I was all upset", ["i was all upset"]),
        ("i ... upset", "I was never upset", []),
        ("i ... upset", "I called. Upset", []),
        ("i am upset", "I'm. Upset", []),
        ("this is _ from", "this is Dana from claims", ["this is dana from"]),
        ("^ sorry", "sorry so sorry. Well. Sorry", ["sorry", "sorry"]),
        ("okay $", "okay then. Okay.", ["okay"]),
        ("a card | cards", "a card for cards", ["a card", "cards"]),
        ("can't", "I cannot", ["can not"]),
        ("set", "upset reset set", ["set"]),
    ],
)
def test_templates_match_whole_words(pattern: str, text: str, hits: list[str]) -> None:
    assert found(pattern, text) == hits


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("(a|b", "without its"),
        ("a)", "unexpected"),
        ("? a", "nothing before"),
        ("<nothing>", "no list is named 'nothing'"),
        ("a.*", "only letters"),
        ("...", "no word"),
        ("_", "no word"),
        ("(so | )", "no word"),
        ("so?", "no word"),
        ("um", "no word that can be looked for"),
    ],
)
def test_a_broken_template_says_what_is_wrong(pattern: str, complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        compile_template(pattern, NamedLists(LISTS))


def test_a_template_is_compiled_only_where_all_its_words_may_be() -> None:
    template = compile_template("did not (get|receive) <thing>?", NamedLists({"thing": ("cards",)}))
    for said in ("I did get it", "it is not here", "cards"):
        assert template.find(spoken_text(said)) == [] and "regex" not in vars(template)
    assert template.find(spoken_text("I did not receive it")) == [(1, 4)]


def test_a_list_that_names_itself_is_refused() -> None:
    with pytest.raises(TemplateError, match="names itself"):
        compile_template("<loop>", NamedLists({"loop": ("a <loop>",)}))


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("not worried", True),
        ("not really that worried", True),
        ("I don't think I'm worried", True),
        ("without being worried", True),
        ("if you are worried", True),
        ("never been so worried", False),
        ("not only worried", False),
        ("why not worried", False),
        ("no worried", True),
        ("it's not here. I'm worried", False),
        ("it is not here and worried", False),
        ("I have not slept, worried", False),
    ],
)
def test_negation_reaches_as_far_as_the_words_let_it(text: str, negated: bool) -> None:
    said = spoken_text(text)
    assert is_negated(said, said.words.index("worried")) is negated


def test_no_before_a_subject_is_an_answer() -> None:
    said = spoken_text("no I'm worried")
    assert not is_negated(said, said.words.index("i"))


def rule_file(body: str) -> RuleFile:
    return RuleFile("mine.toml", body)


GOOD = '[[rule]]\nid = "a.b"\npatterns = ["<w>"]\nmatches = ["x"]\n'


@pytest.mark.parametrize(
    ("body", "complaints"),
    [
        ("[[rule", ("mine.toml", "TOML")),
        ("rules = 1", ("mine.toml", "unknown key 'rules'")),
        ('[lists]\nworry = ["x"]', ("mine.toml", "list 'worry' exists")),
        ("[lists]\nw = 3", ("mine.toml", "lists.w", "3")),
        ("[lists]\nw = [3]", ("mine.toml", "lists.w", "phrases only")),
        (GOOD, ("mine.toml", "rule 'a.b'", "patterns", "no list is named 'w'")),
        (GOOD + "stength = 1", ("mine.toml", "rule 'a.b'", "stength")),
        ('[[rule]]\nid = "a.b"\nmatches=["x"]', ("mine.toml", "rule 'a.b'", "patterns")),
        ('[[rule]]\npatterns = ["x"]\nmatches=["x"]', ("mine.toml", "rule '?'", "id")),
    ],
)
def test_a_broken_rule_file_is_named_with_rule_and_key(
    body: str, complaints: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_rules(rule_file(body), PhraseRule, LISTS)
    for complaint in complaints:
        assert complaint in str(caught.value)


def test_unless_drops_only_what_it_overlaps() -> None:
    body = '[[rule]]\nid="a"\npatterns=["happy"]\nunless=["happy hour"]\nmatches=["happy"]'
    ((_, matcher),), _ = parse_rules(rule_file(body), PhraseRule, {})
    assert matcher.find(spoken_text("happy at happy hour")) == [(0, 1)]


def test_overlapping_patterns_are_one_match() -> None:
    body = '[[rule]]\nid="a"\npatterns=["so very", "very upset"]\nmatches=["so very"]'
    ((_, matcher),), _ = parse_rules(rule_file(body), PhraseRule, {})
    assert matcher.find(spoken_text("so very upset")) == [(0, 3)]


def test_a_rules_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="rules folder not found"):
        rule_files(tmp_path / "none")
    (tmp_path / "b.toml").write_text("")
    (tmp_path / "a.toml").write_text("")
    assert [Path(f.name).name for f in rule_files(tmp_path)] == ["a.toml", "b.toml"]
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SettingsError, match="cannot read a rule file"):
        rule_files(tmp_path)


@pytest.mark.parametrize(
    ("said", "denied"),
    [
        ("I'm not like, you know, terrified.", True),
        ("I wouldn't be, what would you say, terrified.", True),
        ("I'm not angry or terrified.", True),
        ("Neither cross nor terrified.", True),
        ("I'm not well, I'm terrified.", False),
        ("It is not. Terrified, that is what I am.", False),
        ("I did not sleep, I was terrified.", False),
    ],
)
def test_a_negation_reaches_over_asides_and_joined_things(said: str, denied: bool) -> None:
    words = spoken_text(said)
    assert is_negated(words, words.words.index("terrified")) is denied


def test_a_rule_may_ask_that_its_clause_ends_or_that_it_runs_over_sentences() -> None:
    entry = {"id": "a.b", "patterns": ["it is on"], "matches": ["it is on"]}

    def finds(text: str, **keys: bool) -> bool:
        body = "".join(f"{k} = {json.dumps(v)}\n" for k, v in {**entry, **keys}.items())
        ((_, matcher),), _ = parse_rules(RuleFile("f", f"[[rule]]\n{body}"), PhraseRule, {})
        return bool(matcher.find(spoken_text(text)))

    assert finds("It's on its last leg.")
    assert not finds("It's on its last leg.", ends_clause=True)
    assert finds("It's on now, thank you.", ends_clause=True)
    assert not finds("There it is. On we go.")
    assert finds("There it is. On we go.", over_sentences=True)
