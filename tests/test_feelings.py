"""Customers' feelings: read in many languages, stored for every turn, and the ledger of them."""

import hashlib
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.dialogues import NO_FLOOR, dialogue
from support.factories import call
from support.warehouses import put, rich, rows
from warmline import empathy
from warmline.analysis import CallAnalysis, TurnEmpathy, TurnFeelings
from warmline.errors import ModelError
from warmline.landing import store
from warmline.language import read_call, score_turns
from warmline.language.feelings import language_of, read_sentences, thresholds
from warmline.language.windows import adapter_file, turn_texts_of
from warmline.models.catalogue import MANY_LANGUAGES
from warmline.models.engines import Engines
from warmline.settings import EmpathySettings, LanguageSettings, Settings
from warmline.values import RoleName

# Trouble that is told without a feeling; none of it was learned from.
TROUBLE = (
    "I've been waiting for weeks and nobody tells me why.",
    "The door of the fridge does not close and the food is going bad.",
    "I called twice yesterday and both times I was cut off.",
    "You have taken the money for a flight that never left.",
    "I can't get into the flat because the code was changed without telling us.",
    "The engineer came, looked at it and left without repairing anything.",
    "My prescription was sent to a pharmacy that does not exist.",
    "I have now paid for the same ticket three times.",
    "It went off again ten minutes after your colleague hung up.",
    "Nobody at the desk knew anything about my booking.",
)
BUSINESS = (
    "I'd like to move the delivery from Tuesday to Thursday, if that is possible.",
    "Yes, the blue one, and please send it to the office as before.",
    "Could you tell me which documents I have to bring to the appointment?",
    "Thank you, that was quick, have a nice evening.",
    "My daughter is eighteen now and I want to give her a line of her own.",
    "No, that was everything, thanks.",
    "I bought two of them in spring and I'd like a third one in green.",
    "Is breakfast included, and from what time is it served?",
    "We are four adults and we would arrive at about seven in the evening.",
    "Exactly, the one with the long handle.",
)
GERMAN = "Ich warte seit Wochen auf eine Antwort und keiner kann mir sagen, was los ist."
PLAIN_GERMAN = "Können Sie mir bitte sagen, wann Sie am Montag öffnen?"


def feelings(turn_index: int, share: float, explicit: float = 0.1) -> TurnFeelings:
    own = share * explicit
    return TurnFeelings(
        0.0, 1.0, turn_index, share, 0.0, share, 0.0, 0.0, own, share - own, "it broke", None, share
    )


@pytest.mark.models
def test_sentences_of_one_meaning_are_near_in_two_languages(engines: Engines) -> None:
    said = engines.many_languages_encoder().texts(
        [
            *("I still can't log in, it's the third time!", "What a lovely sunny day."),
            *("Ich kann mich immer noch nicht anmelden!", "Was für ein schöner Tag."),
        ],
        64,
    )
    unit = said / np.linalg.norm(said, axis=1, keepdims=True)
    near = unit[:2] @ unit[2:].T
    assert np.diag(near).min() > near[~np.eye(2, dtype=bool)].max() + 0.05


@pytest.mark.models
def test_the_published_weights_give_the_published_vector(engines: Engines) -> None:
    # The publisher's engine, compiled from its source, gives 0.0118 0.0036 -0.0158 -0.0526 0.0854.
    (found,) = engines.many_languages_encoder().texts(
        ["I still can't log in — it's the 3rd time!!"], 64
    )
    assert found[:5] / np.linalg.norm(found) == pytest.approx(
        [0.0118, 0.0036, -0.0158, -0.0526, 0.0854], abs=0.003
    )


ODD_TEXTS = [
    "I still can't log in — it's the 3rd time!!",
    "Ich kann mich immer noch nicht anmelden, Straße 7½.",
    "電話がつながらないので困っています。 もう三回目です。",
    "ไม่สามารถเข้าสู่ระบบได้",
    "a\u2581b \u2581 <unk> </s> \U0001f9ff \ue000\ue001 x",
    "  spaced   out ",
    "",
]


@pytest.mark.models
def test_the_pieces_of_a_few_words_split_them_as_all_pieces_do(engines: Engines) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.pre_tokenizers import Metaspace

    from warmline.language.e5 import E5Tokenizer, read_e5

    file = read_e5(engines.store.path_of(MANY_LANGUAGES, "e5-small-q4.bin"))
    scored = list(zip(file.pieces, map(float, file.scores), strict=True))
    whole = Tokenizer(Unigram(scored, file.marks["unknown"], byte_fallback=False))
    whole.pre_tokenizer = Metaspace()
    told = [
        " ".join("".join(file.characters.get(ord(c), c) for c in text).split(" ")).split()
        for text in ODD_TEXTS
    ]
    expected = [whole.encode(" ".join(words), add_special_tokens=False).ids for words in told]
    cut = E5Tokenizer(file)
    assert cut(ODD_TEXTS) == expected
    assert [cut([text])[0] for text in ODD_TEXTS] == expected
    assert file.marks["unknown"] in expected[4]


@pytest.mark.models
@pytest.mark.skipif(sys.platform != "linux", reason="what is mapped is read from /proc")
def test_word_vectors_stay_in_the_file(engines: Engines) -> None:
    """They are most of it, and processes side by side have the file in memory once."""
    from warmline.language.e5 import e5_network, read_e5

    path = engines.store.path_of(MANY_LANGUAGES, "e5-small-q4.bin")
    network = e5_network(read_e5(path), {})
    at = network.words.blocks.data_ptr()
    lines = Path("/proc/self/maps").read_text().splitlines()
    mapped = [line.split()[0].split("-") for line in lines if line.endswith(str(path))]
    assert any(int(first, 16) <= at < int(past, 16) for first, past in mapped)


def test_an_empty_file_is_refused_by_name(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from warmline.language.e5 import read_e5

    (tmp_path / "x.bin").touch()
    with pytest.raises(ModelError, match=r"x\.bin: it is empty"):
        read_e5(tmp_path / "x.bin")


def test_a_file_of_another_form_is_refused_by_name(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from warmline.language.e5 import read_e5

    (tmp_path / "x.bin").write_bytes(b"GGUF" + bytes(80))
    with pytest.raises(ModelError, match=r"x\.bin: no file of multilingual-e5-small"):
        read_e5(tmp_path / "x.bin")


@pytest.mark.models
def test_trouble_told_plainly_is_an_implicit_cue_and_business_is_none(engines: Engines) -> None:
    scores = [
        score_turns([{"speaker": "customer", "text": text}], engines=engines)[0]
        for text in (*TROUBLE, *BUSINESS)
    ]
    found = [bool(s.cues) for s in scores]
    assert sum(found[: len(TROUBLE)]) >= 6
    assert sum(found[len(TROUBLE) :]) <= 1
    cues = [cue for s in scores for cue in s.cues]
    assert sum(not cue.explicit for cue in cues) > len(cues) / 2
    assert all(cue.text for cue in cues)


WORN = [
    "still nothing after two weeks",
    "I was told it would be here by Monday and it never came",
    "this is the fourth time I've had to ring about it",
    "I had to take a day off work for this",
    "if it isn't sorted by Friday I'm going to the ombudsman",
    "great, another automated message",
]
PLAIN = [
    "how do I reset it",
    "I'd like to change my address",
    "it's the blue one, order seven two four",
    "could you tell me when it is delivered",
]


@pytest.mark.models
def test_trouble_that_wears_on_is_heard_above_a_fault_and_a_request(engines: Engines) -> None:
    def negative(text: str) -> float:
        (scored,) = score_turns([{"speaker": "customer", "text": text}], engines=engines)
        return scored.negative_emotion or 0.0

    assert min(map(negative, WORN)) > 1.5 * max(map(negative, PLAIN))
    assert negative("still nothing after two weeks") > negative("the screen is broken")


@pytest.mark.models
def test_a_turn_is_read_after_what_the_agent_said_last(engines: Engines) -> None:
    def negative(*agent: str) -> float:
        turns = [{"speaker": "agent", "text": text} for text in agent]
        scores = score_turns([*turns, {"speaker": "customer", "text": "Since May."}], None, engines)
        return scores[-1].negative_emotion or 0.0

    complained = negative("For how long have you been waiting for your money?")
    chatted = negative("For how long have you been a member of our club?")
    assert complained > chatted + 0.01
    # Only the last sentence of the last turn counts.
    assert chatted == pytest.approx(
        negative("That is dreadful.", "I see. For how long have you been a member of our club?"),
        abs=1e-3,
    )


@pytest.mark.models
@pytest.mark.parametrize(
    ("said", "is_heard_in_context"),
    [
        ("Since May.", True),
        ("It has been the same thing ever since the beginning of May.", False),
        ("It was in May, I think. You did write to me about it once.", True),
    ],
)
def test_a_sentence_is_read_again_only_where_it_is_all_that_was_said_at_length(
    engines: Engines, said: str, is_heard_in_context: bool
) -> None:
    def heard(agent: str) -> list[float]:
        turns = turn_texts_of([(RoleName.AGENT, agent), (RoleName.CUSTOMER, said)])
        return [s.log_odds["any"] for s in read_sentences(turns, engines)[1].sentences]

    complained = heard("For how long have you been waiting for your money?")
    chatted = heard("For how long have you been a member of our club?")
    is_same = complained == pytest.approx(chatted, abs=0.02)
    assert is_same is not is_heard_in_context


DENIED = (
    ("I'm not, like, terrified.", "I would rather have it repaired before it makes noises."),
    ("I am not angry with you.", "Could you tell me when the parcel will be here?"),
    ("We were never afraid of that.", "My daughter would like the smaller room, please."),
    ("I don't feel disappointed at all.", "Please send the invoice to my office as before."),
    ("I'm not worried, to be honest.", "It can wait until the end of the month."),
)


@pytest.mark.models
@pytest.mark.parametrize(("denied", "plain"), DENIED)
def test_what_is_said_beside_a_denied_feeling_is_read_as_if_it_stood_alone(
    engines: Engines, denied: str, plain: str
) -> None:
    before = {"speaker": "agent", "text": "What would be most convenient for you?"}
    turns = [{"speaker": "customer", "text": text} for text in (f"{denied} {plain}", plain)]
    both, alone = (score_turns([before, turn], engines=engines)[1] for turn in turns)
    assert both.negative_emotion < alone.negative_emotion + 0.1
    assert both.cues == ()


@pytest.mark.models
def test_parts_of_a_text_are_means_of_their_own_words(engines: Engines) -> None:
    encoder = engines.many_languages_encoder()
    words = ("the", "router", "is", "broken", "again", "and", "nobody", "calls", "me", "back")
    halves = encoder.texts_with_parts([(words, ((0, 5), (5, 10)))], 64)
    (whole,) = encoder.texts([" ".join(words)], 64)
    assert halves.rows[0] == pytest.approx(whole, abs=2e-3)
    swapped = encoder.texts_with_parts([(("yes",), ()), (words, ((5, 10), (0, 5)))], 64)
    assert swapped.parts[0].shape == (0, 384)
    assert swapped.parts[1] == pytest.approx(halves.parts[0][::-1], abs=2e-3)
    # What lies beyond the limit is read by itself; no more of the rest is lost than before.
    long = encoder.texts_with_parts([(words * 4, ((0, 5), (30, 40))), (words, ((0, 10),))], 40)
    assert long.parts[0][1] == pytest.approx(long.parts[1][0], abs=2e-3)
    assert np.abs(long.parts[0][0] - halves.parts[0][0]).max() > 0.02
    (cut,) = encoder.texts([" ".join(words * 4)], 40)
    assert long.rows[0] == pytest.approx(cut, abs=2e-3)


# The sentence in which the trouble is told stands in brackets.
TROUBLE_AMONG_BUSINESS = (
    "I ordered a lamp from you two weeks ago. [It arrived broken and nobody answers my mails.] My "
    "order number is on the form. I just wanted to give you a call.",
    "Hi, this is Tom. [I got a car from you two weeks ago and the service light came on already.] "
    "I know you do your repairs in house. So I wanted to call you.",
    "My name is Ana Silva. [My card was charged twice and I still have no refund.] The account "
    "ends in 42. That is what I am calling about.",
    "The washing machine came on Monday. [It has stopped working for the third time.] I live on "
    "the second floor. You can come in the morning.",
    "I have an appointment on Friday. [I have been waiting for weeks and nobody tells me why.] The "
    "doctor is Dr Lee. It is in the afternoon.",
    "We booked a room for four nights. [When we got there it was dirty and there was no hot "
    "water.] We are two adults and a child. The booking is under Miller.",
    "I moved to a new flat in May. [Since then the internet drops every evening and I can't work.] "
    "The street is the same. I have the router here.",
    "I called yesterday as well. [You promised me a call back and it never came.] I am at home all "
    "day. My number has not changed.",
    "The parcel was left with a neighbour. [I do not know which one and they will not tell me.] It "
    "was sent on the third. My flat is number nine.",
    "I am a customer since March. [Every month the bill is higher than what we agreed.] I pay by "
    "card. The contract is in my husband's name.",
    "I would like to talk about my policy. [My claim was refused and I do not understand why.] The "
    "number is on the letter. I was at work that day.",
    "The flight is at nine. [I am scared that I will miss my connection.] I have one bag. My seat "
    "is by the window.",
    "[You sent the technician to the wrong house again.] We live in Park Road. There is a blue "
    "door. Our phone number is the same.",
    "I bought the phone in June. The shop is in the centre. [The screen went black after a week "
    "and support keeps telling me to wait.] I have the receipt.",
)


@pytest.mark.models
def test_the_sentence_that_tells_the_trouble_is_quoted(engines: Engines) -> None:
    # 9 where sentences are read in the light of the whole turn, which colours the harmless ones.
    right = 0
    for marked in TROUBLE_AMONG_BUSINESS:
        told = {"speaker": "customer", "text": marked.replace("[", "").replace("]", "")}
        asked = {"speaker": "agent", "text": "How can I help you?"}
        (_, scored) = score_turns([asked, told], engines=engines)
        right += scored.sentence == marked.split("[")[1].split("]")[0]
    assert right >= 12


@pytest.mark.models
@pytest.mark.parametrize(
    "text", ["I am so confused by this bill", "honestly I am baffled", "it makes no sense to me"]
)
def test_confusion_that_is_named_is_probable(engines: Engines, text: str) -> None:
    (scored,) = score_turns([{"speaker": "customer", "text": text}], engines=engines)
    assert scored.confusion_powerlessness is not None
    assert scored.confusion_powerlessness > 0.5
    assert scored.cues[0].probability > 0.5


@pytest.mark.models
def test_score_turns_and_the_warehouse_have_the_same_feelings(engines: Engines) -> None:
    asked, told = "How can I help?", "I am scared. My card is gone. I am Ana."
    (_, scored) = score_turns(
        [{"speaker": "agent", "text": asked}, {"speaker": "customer", "text": told}],
        engines=engines,
    )
    conversation, transcript = dialogue(f"agent: {asked}", f"customer: {told}")
    (stored,) = read_call(conversation, transcript, LanguageSettings(), engines).feelings
    kinds = ("fear_anxiety", "anger_frustration", "sadness_disappointment")
    for kind in (*kinds, "confusion_powerlessness"):
        assert getattr(scored, kind) == pytest.approx(getattr(stored, kind), abs=1e-3)
    assert scored.negative_emotion == pytest.approx(stored.any_negative, abs=1e-3)
    assert scored.sentence == stored.text
    assert sum(getattr(stored, kind) for kind in kinds) == pytest.approx(stored.any_negative)


@pytest.mark.models
def test_no_turn_is_surer_than_people_were_of_the_surest(engines: Engines) -> None:
    turn = {"speaker": "customer", "text": " ".join(("I am furious!", *TROUBLE))}
    (scored,) = score_turns([turn], engines=engines)
    assert thresholds()["any_negative"] < (scored.negative_emotion or 0.0) < 0.95


@pytest.mark.models
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_turn_scores_the_same_in_any_company(engines: Engines, language: str) -> None:
    turns = [{"speaker": "customer", "text": text} for text in (*TROUBLE, *BUSINESS, GERMAN)]
    together = score_turns(turns, engines=engines, language=language)
    alone = [score_turns([turn], engines=engines, language=language)[0] for turn in turns[::5]]
    assert [s.negative_emotion for s in alone] == pytest.approx(
        [s.negative_emotion for s in together[::5]], abs=1e-3
    )


@pytest.mark.models
def test_a_feeling_put_into_words_is_explicit(engines: Engines) -> None:
    (score,) = score_turns(
        [{"speaker": "customer", "text": "I am really scared that I lose the flat."}],
        engines=engines,
    )
    (cue,) = score.cues
    assert (cue.kind, cue.explicit) == ("fear_anxiety", True)
    assert cue.probability == score.negative_emotion >= thresholds()["any_negative"]


@pytest.mark.models
def test_german_is_read_whether_it_is_named_or_not(engines: Engines) -> None:
    for language in ("auto", "de"):
        trouble, plain = score_turns(
            [{"speaker": "customer", "text": text} for text in (GERMAN, PLAIN_GERMAN)],
            engines=engines,
            language=language,
        )
        assert trouble.cues and not plain.cues
        assert (trouble.negative_emotion or 0) > (plain.negative_emotion or 0) + 0.3
    for language, text in (("pl", "Czekam od tygodni."), ("auto", "J'attends le colis et je ne")):
        (unread,) = score_turns(
            [{"speaker": "customer", "text": text}], engines=engines, language=language
        )
        assert unread.negative_emotion is None
        assert unread.cues == ()


def test_the_language_of_turns_is_told_by_their_words() -> None:
    assert language_of([GERMAN]) == "de"
    assert language_of(["Não consigo entrar na minha conta."]) == "pt"
    assert language_of(TROUBLE) == "en"
    assert language_of(["ok"]) == language_of([]) == "en"


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("No, no!", "en"),
        ("hai fine hai hai nothing ok bye", "en"),
        ("She's a friend of mine.", "en"),
        ("Do you do refunds? No? Why no?", "en"),
        ("No me gusta nada lo que me dicen", "es"),
        ("Queria saber dos planos", "pt"),
        ("Nie wiem, co się stało z moim zamówieniem", "pl"),
        ("Jag har inte fått mitt paket och det är för sent", "sv"),
        ("Я не понимаю, что это", "ru"),
        ("مرحبا أنا غاضب جدا", "und"),
        (
            "Olen odottanut pakettia kaksi viikkoa eikä kukaan ole kertonut minulle mitään siitä",
            "und",
        ),
    ],
)
def test_a_language_is_not_taken_for_another_by_a_word_that_both_have(
    said: str, language: str
) -> None:
    assert language_of([said]) == language


@pytest.mark.models
def test_every_turn_of_the_customer_has_its_feelings_and_the_agents_have_none(
    engines: Engines,
) -> None:
    talk, said = dialogue(
        "agent: Hello, how can I help you?",
        f"customer: Good morning. {TROUBLE[0]} Could you have a look?",
        "agent: Let me see.",
        "customer: Thank you, that is kind.",
    )
    found = read_call(talk, said, Settings().language, engines)
    assert [f.turn_index for f in found.feelings] == [1, 3]
    first, last = found.feelings
    assert "waiting for weeks" in first.text
    assert first.any_negative > 0.62 > last.any_negative
    assert first.explicit + first.implicit == pytest.approx(first.any_negative)
    kinds = first.fear_anxiety + first.anger_frustration + first.sadness_disappointment
    assert kinds == pytest.approx(first.any_negative)


def test_the_weights_are_those_that_the_threshold_was_set_for() -> None:
    stored = hashlib.sha256(adapter_file("feelings").read_bytes()).hexdigest()
    text = adapter_file("feelings").with_suffix(".toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["network"]["sha256"] == stored


def test_the_setting_and_the_file_have_one_threshold() -> None:
    assert EmpathySettings().min_feeling == thresholds()["any_negative"]


def test_a_lower_threshold_lengthens_the_ledger_without_reading_anew() -> None:
    talk, _ = dialogue(
        "customer: It broke.", "agent: One moment.", "customer: It broke.", "agent: Fine."
    )
    known = (feelings(0, 0.9), feelings(2, 0.4))
    lengths = {}
    for least in (0.95, 0.62, 0.3):
        settings = EmpathySettings(min_feeling=least)
        found = empathy.measure(talk, (), NO_FLOOR, settings, feelings=known)
        lengths[least] = [(o.turn_index, o.probability, o.is_explicit) for o in found.opportunities]
        expected = {m.name: m.value for m in found.metrics}["opportunities_expected"]
        assert expected == pytest.approx(1.3)
        assert [f.answer for f in found.feelings] == ["ignored", "ignored"]
    assert lengths == {
        0.95: [],
        0.62: [(0, 0.9, False)],
        0.3: [(0, 0.9, False), (2, 0.4, False)],
    }


def test_the_threshold_is_set_again_in_a_query(tmp_path: Path) -> None:
    heard = rich("a")
    assert heard.empathy is not None
    assert heard.conversation is not None
    customers = [t.index for t in heard.conversation.turns if t.role is RoleName.CUSTOMER]
    known = (feelings(customers[0], 0.9, explicit=0.8),)
    put(tmp_path, replace(heard, empathy=replace(heard.empathy, feelings=known)))
    asked = "SELECT kind, probability, is_explicit, text FROM opportunities_at({})"
    assert rows(tmp_path, asked.format(0.5)) == [("anger_frustration", 0.9, True, "it broke")]
    assert rows(tmp_path, asked.format(0.95)) == []
    assert rows(tmp_path, "SELECT sum(any_negative), count(*) FROM turn_feelings") == [(0.9, 1)]


SAID = (
    "customer: Nobody told me that the train was cancelled, and now I'm stuck here.",
    "agent: I'm so sorry, that must be really frustrating. I'll book you on the next one.",
    "customer: Thank you.",
    "agent: So what you need is to be in Leeds by nine?",
    "customer: Yes.",
)


@pytest.mark.models
@pytest.mark.parametrize("models", [True, False])
def test_an_agents_turn_keeps_the_scores_that_score_turns_gives(
    engines: Engines, models: bool
) -> None:
    settings = LanguageSettings(models=models)
    read = read_call(*dialogue(*SAID), settings, engines)
    scores = score_turns(
        [dict(zip(("speaker", "text"), line.split(": ", 1), strict=True)) for line in SAID],
        settings,
        engines,
    )
    assert [t.turn_index for t in read.agent_turns] == [1, 3]
    for kept in read.agent_turns:
        score = scores[kept.turn_index]
        for name in ("empathy", "affective", "attentive", "cognitive", "dismissive"):
            assert getattr(kept, name) == pytest.approx(getattr(score, name), abs=1e-5), name
        for name in ("emotional_reaction", "interpretation", "exploration"):
            assert getattr(kept, name) == pytest.approx(getattr(score, name), abs=1e-5), name
            assert (getattr(kept, name) is None) is not models
    assert read.agent_turns[0].empathy > read.agent_turns[1].empathy


def test_the_scores_of_agents_turns_are_rows(tmp_path: Path) -> None:
    heard = rich("a")
    assert heard.empathy is not None
    assert heard.conversation is not None
    agent = next(t.index for t in heard.conversation.turns if t.role is RoleName.AGENT)
    known = (TurnEmpathy(agent, 0.8, 0.7, 0.0, 0.2, 0.0, 0.9, 0.1, None),)
    put(tmp_path, replace(heard, empathy=replace(heard.empathy, agent_turns=known)), call("b"))
    assert rows(
        tmp_path, "SELECT turn_index, empathy, affective, exploration FROM turn_empathy"
    ) == [(agent, 0.8, 0.7, None)]


def test_an_analysis_that_landed_before_has_no_feelings() -> None:
    row = store.to_row(call("a"))
    del row["empathy"]["feelings"], row["empathy"]["agent_turns"]
    for opportunity in row["empathy"]["opportunities"]:
        del opportunity["probability"], opportunity["is_explicit"]
    found = store.from_row(CallAnalysis, row)
    assert found.empathy is not None
    assert found.empathy.feelings == ()


def test_measures_of_like_length_and_calibration() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from validation.service import alike_auc, calibration_error, chance_error

    truth = np.array([True, False, True, False])
    words = np.array([20.0, 5.0, 4.0, 4.0])
    assert alike_auc(truth, words, words) == pytest.approx(0.25)
    assert calibration_error(truth, np.array([0.5, 0.5, 0.5, 0.5])) == pytest.approx(0.0)
    assert calibration_error(truth, np.array([0.95, 0.95, 0.95, 0.95])) == pytest.approx(0.45)
    # In one bin of n turns a share is sqrt(2 p (1 - p) / pi n) from its probability, on average.
    by_chance = [chance_error(np.full(n, 0.25), seed=1) for n in (50, 200, 800)]
    assert by_chance == pytest.approx([0.0489, 0.0244, 0.0122], rel=0.1)


def test_the_calibration_error_corrected_for_chance_is_that_of_very_many_turns() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from validation.service import calibration_error, squared_error

    random_ = np.random.default_rng(7)
    errors: dict[float, list[float]] = {0.0: [], 0.2: []}
    for shift, found in errors.items():
        for _ in range(300):
            probability = random_.uniform(0.1, 0.6, 195)
            truth = random_.random(195) < probability + shift
            found.append(squared_error(truth, probability))
    assert np.mean(errors[0.0]) == pytest.approx(0.0, abs=0.0015)
    assert np.mean(errors[0.2]) == pytest.approx(0.04, abs=0.003)
    # The plain one is far from 0 for as few turns, however right they are.
    right = random_.random(195) < probability
    assert calibration_error(right, probability) > 0.02
