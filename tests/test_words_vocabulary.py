"""A vocabulary: its terms are heard more readily, and nothing else about a transcript changes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from whisper.tokenizer import Tokenizer, get_tokenizer

from support.samples import SAMPLES
from support.transcribing import transcribe
from warmline.errors import SettingsError
from warmline.models.engines import Engines
from warmline.pipeline.stages import CacheKeys
from warmline.recordings.sound import Sound, decode
from warmline.settings import RecordingSettings, Settings, WordSettings, with_overrides
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    SpeakerSource,
    Speech,
    SpeechSegment,
    Transcript,
)
from warmline.words.beams import BiasTables
from warmline.words.vocabulary import Bias, fingerprint, read_terms

MONO = ChannelLayout("mono", 1, None, "one channel")
TERMS = ("Ann", "Northgate", "Northgate Bank of Lisbon", "Bank of Oslo")
TOKENIZER: Tokenizer = get_tokenizer(multilingual=False)
BIAS = Bias(
    TERMS, TOKENIZER, [TOKENIZER.decode([t]) for t in range(TOKENIZER.eot + 1)], 1.5, bound=6.0
)
TABLES = BiasTables(BIAS, torch.device("cpu"))


def added(text: str) -> float:
    """What the terms add to a text that ends here."""
    at, total = BIAS.follow(TOKENIZER.encode(text))
    return total + BIAS.settled(at, begins=True)


def of(term: str) -> float:
    return min(1.5 * len(TOKENIZER.encode(" " + term)), 6.0)


def test_a_file_has_a_term_a_line(tmp_path: Path) -> None:
    file = tmp_path / "terms.txt"
    file.write_text(
        "\ufeff# ours\nNorthgate  Bank\n\n  C# 9 # the language\nPriya\nNorthgate Bank\n"
    )
    assert read_terms(str(file)) == ("Northgate Bank", "C# 9", "Priya")
    assert read_terms("") == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"Priya\n--\n", "line 2: '--' has no letter and no digit"),
        (b"Priya\nMarc\x07us\n", "line 2: 'Marc\\x07us' has a character that cannot be printed"),
        (b"Priya\n\nM\xfcller\n", "line 3: not UTF-8"),
        (b"a" * 81, "line 1: a term of 81 characters, more than 80; write one a line"),
        (b"# nothing yet\n", "names no term; write one a line"),
        (b"".join(b"t%d\n" % n for n in range(5001)), "has 5001 terms, more than 5000"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_line(
    tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "terms.txt"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(str(file))) as refused:
        read_terms(str(file))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.txt cannot be read: No such file"):
        read_terms(str(tmp_path / "nowhere.txt"))


def test_an_engine_that_takes_none_refuses_one(tmp_path: Path) -> None:
    (tmp_path / "terms.txt").write_text("Priya\n")
    settings = WordSettings(engine="faster-whisper", vocabulary=str(tmp_path / "terms.txt"))
    with pytest.raises(SettingsError, match=r"words\.vocabulary: the engine faster-whisper takes"):
        fingerprint(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" We met", 0.0),
        (" Ann", of("Ann")),
        (" Ann, of course", of("Ann")),
        (" Ann's", of("Ann")),
        (" Anna and Annie", 0.0),  # words that go on, once a term is complete, are other words
        (" JoAnn", 0.0),
        (" Ann Ann", 2 * of("Ann")),
        (" Northgate Street", of("Northgate")),
        (" Northgate Bank", of("Northgate")),
        (" Northgate Bank of Lisbon.", of("Northgate Bank of Lisbon")),
        (" Northgate Bank of Ann", of("Northgate") + of("Ann")),
    ],
)
def test_only_whole_terms_raise_a_text(text: str, expected: float) -> None:
    assert added(text) == pytest.approx(expected)


def test_what_a_term_adds_has_a_bound() -> None:
    assert len(TOKENIZER.encode(" Northgate Bank of Lisbon")) > 4
    assert of("Northgate Bank of Lisbon") == 6.0


PIECES = sorted({token for term in TERMS for token in TOKENIZER.encode(" " + term)})


@given(st.lists(st.sampled_from([*PIECES, *TOKENIZER.encode(" a, na B's gate")]), max_size=12))
def test_a_text_of_no_term_is_worth_nothing_when_it_ends(tokens: list[int]) -> None:
    at, total = BIAS.follow(tokens)
    total += BIAS.settled(at, begins=True)
    assert total >= -1e-9
    text = TOKENIZER.decode(tokens)
    if not any(re.search(rf"(^| ){term}(?![A-Za-z])", text) for term in TERMS):
        assert total == pytest.approx(0)


@given(st.lists(st.sampled_from([*PIECES, *TOKENIZER.encode(" a, na B's gate")]), max_size=8))
def test_steps_add_up_to_what_a_text_has(tokens: list[int]) -> None:
    """The search adds for each token what the text as a whole gains by it."""
    at_root, after = TABLES.raised_by([]), TABLES.raised_by(tokens)
    for token in (*PIECES, TOKENIZER.eot, *TOKENIZER.encode(", na")):
        gain = BIAS.follow([*tokens, token])[1] - BIAS.follow(tokens)[1]
        assert float(after[token]) == pytest.approx(gain, abs=1e-5)
    assert at_root.shape == torch.Size([TOKENIZER.eot + 1])


def keys(vocabulary: str | None, file: str = "") -> dict[str, str]:
    settings = with_overrides(Settings(), {"words.vocabulary": file, "language.models": False})
    models = {"whisper-base": "w", "pyannote-segmentation-3.0": "s", "campplus-zh-en": "c"}
    models |= {"all-minilm-l6-v2": "m", "multilingual-e5-small": "e"}
    return CacheKeys(settings, models, "rules", vocabulary).keys("a" * 64, CallMetadata("c-1"))


def test_other_terms_are_another_key_and_another_file_name_is_not(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("Priya\nMarcus\n")
    other.write_text("# names\nPriya\nMarcus\n")
    found = [fingerprint(WordSettings(vocabulary=str(file))) for file in (one, other)]
    assert found[0] == found[1]
    assert found[0] != fingerprint(WordSettings(vocabulary=str(one), vocabulary_weight=1.0))
    assert keys(found[0], str(one)) == keys(found[1], str(other))
    none, some = keys(fingerprint(WordSettings())), keys(found[0])
    assert none == keys(None)
    same = {name for name in none if none[name] == some[name]}
    assert same == {"sound", "channels", "speech"}


@pytest.fixture(scope="module")
def opening() -> tuple[Sound, Speech]:
    """The agent's first turn of the feedback call: "... this is Marcus from Northgate Bank ..."."""
    sound = decode(SAMPLES / "feedback-call.ogg", RecordingSettings())
    turn = (SpeechSegment(0.6, 9.11, "A"),)
    speech = Speech(SpeakerSource.DIARIZATION, ("A",), turn, turn, (), 1.0, "given", turn)
    return Sound(sound.pcm[:1], 16000, "pcm"), speech


def heard(
    opening: tuple[Sound, Speech], engines: Engines, file: Path | None, **settings: float
) -> Transcript:
    sound, speech = opening
    given = WordSettings(whisper_model="tiny.en", precision="float32", **settings)  # type: ignore[arg-type]
    if file:
        given = given.model_copy(update={"vocabulary": str(file)})
    return transcribe(sound, MONO, speech, given, engines, "en")


@pytest.mark.models
def test_a_listed_name_is_heard_and_the_rest_stays(
    opening: tuple[Sound, Speech], engines: Engines, tmp_path: Path
) -> None:
    file = tmp_path / "terms.txt"
    file.write_text("Northgate Bank\nHannah Okafor\nLarkfield Broadband\nCorvale Energy\n")
    without = heard(opening, engines, None)
    text = " ".join(w.text for w in without.words)
    assert "from North Gate Bank." in text
    for beam_size in (5, 1):
        found = heard(opening, engines, file, beam_size=beam_size)
        biased = " ".join(w.text for w in found.words)
        assert biased == text.replace("North Gate", "Northgate"), beam_size
        # The recogniser's own doubts: what it was told to expect makes it no surer.
        assert found.utterances[0].avg_logprob < without.utterances[0].avg_logprob


@pytest.mark.models
def test_terms_that_weigh_nothing_change_nothing(
    opening: tuple[Sound, Speech], engines: Engines, tmp_path: Path
) -> None:
    """The search with a vocabulary is Whisper's own but for what the terms add."""
    file = tmp_path / "terms.txt"
    file.write_text("Northgate Bank\n")
    nothing, without = (
        heard(opening, engines, file, vocabulary_weight=0.0),
        heard(opening, engines, None),
    )
    # A sum of fifty thousand numbers depends on where they lie in memory, in its last digit.
    alike = [
        replace(t, words=[replace(w, probability=0.0) for w in t.words]) for t in (nothing, without)
    ]
    assert alike[0] == alike[1]
    assert [w.probability for w in nothing.words] == pytest.approx(
        [w.probability for w in without.words], abs=1e-5
    )
