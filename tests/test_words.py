"""Words: packing keeps the clock, guards refuse what was not said, words go to who said them."""

import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from whisper.timing import WordTiming

from support.transcribing import transcribe
from warmline.models.engines import Engines
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound, decode
from warmline.settings import RecordingSettings, SpeechSettings, WordSettings
from warmline.speech import listen
from warmline.values import ChannelLayout, Span, SpeakerSource, Speech, SpeechSegment, Word
from warmline.words import assign_words
from warmline.words.recognisers import Recognised, _whole_words
from warmline.words.windows import WINDOW_S, pack, why_refused

SETTINGS = WordSettings(whisper_model="tiny.en")
MONO = ChannelLayout("mono", 1, None, "one channel")


@st.composite
def speeches(draw: st.DrawFn) -> list[Span]:
    gaps = draw(st.lists(st.floats(0.2, 20), min_size=1, max_size=20))
    lengths = draw(st.lists(st.floats(0.1, 70), min_size=len(gaps), max_size=len(gaps)))
    spans, at = [], 0.0
    for gap, length in zip(gaps, lengths, strict=True):
        spans.append(Span(at + gap, at + gap + length))
        at += gap + length
    return spans


@given(speeches())
def test_packing_holds_all_speech_once_in_windows_that_fit(speech: list[Span]) -> None:
    duration_s = speech[-1].end_s + 1
    windows = pack(speech, speech, 0, "A", duration_s)
    pieces = [p for w in windows for p in w.pieces]
    assert all(w.duration_s <= WINDOW_S + 1e-6 for w in windows)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in itertools.pairwise(pieces))
    for span in speech:
        inside = sum(
            max(0.0, min(span.end_s, p.end_s) - max(span.start_s, p.start_s)) for p in pieces
        )
        assert inside == pytest.approx(span.duration_s, abs=1e-6)


@given(speeches(), st.floats(0, 1), st.floats(0, 1))
def test_a_word_inside_speech_comes_back_to_its_own_time(
    speech: list[Span], where: float, which: float
) -> None:
    span = speech[int(which * (len(speech) - 1))]
    start_s = span.start_s + where * max(0.0, span.duration_s - 0.1)
    for window in pack(speech, speech, 0, "A", speech[-1].end_s + 1):
        for piece in window.pieces:
            if piece.start_s <= start_s and start_s + 0.1 <= piece.end_s:
                at_s = piece.at_s + start_s - piece.start_s
                back = window.on_the_clock(at_s, at_s + 0.1)
                assert back.start_s == pytest.approx(start_s, abs=1e-6)
                assert back.end_s == pytest.approx(start_s + 0.1, abs=1e-6)


def test_a_word_is_not_stretched_over_silence() -> None:
    (window,) = pack([Span(1, 2), Span(2.8, 4)], [Span(1, 2), Span(2.8, 4)], 0, "A", 10)
    at = window.pieces[0].at_s - window.pieces[0].start_s
    assert window.on_the_clock(at + 0.9, at + 1.4).start_s == 1
    assert window.on_the_clock(at + 1.8, at + 2.6).end_s == 2


def _said(text: str, **doubts: float) -> Recognised:
    given_ = {"avg_logprob": -0.3, "no_speech_prob": 0.1, "compression_ratio": 1.2} | doubts
    return Recognised(text, (), **given_)


@pytest.mark.parametrize(
    ("result", "speech_s", "guard"),
    [
        (_said("I lost my card and I am worried"), 3, None),
        (_said("no no no no no"), 3, None),
        (_said("thank you. " * 5), 10, "loop"),
        (_said("so I was going to, I was going to, say"), 5, None),
        (_said("the the the the the the the the the the the"), 10, "loop"),
        (_said("words", compression_ratio=2.5), 3, "loop"),
        (_said("one two three four five six seven eight nine ten eleven"), 0.5, "too_fast"),
        (_said("mumble", avg_logprob=-1.3), 3, "unintelligible"),
        (_said("Bye.", avg_logprob=-0.8, no_speech_prob=0.9), 3, "no_speech"),
        (_said("Bye.", avg_logprob=-0.2, no_speech_prob=0.9), 3, None),
    ],
)
def test_guards(result: Recognised, speech_s: float, guard: str | None) -> None:
    assert why_refused(result, speech_s, SETTINGS) == guard


def test_parts_of_a_written_word_are_one_word() -> None:
    parts = [
        WordTiming(text, [], start, start + 0.2, 0.9)
        for text, start in ((" ma", 0.0), ("'am", 0.2), (" in", 0.5), ("-house", 0.7))
    ]
    words = _whole_words(parts, spaced=True)
    assert [(w.text, w.start_s, round(w.end_s, 3)) for w in words] == [
        ("ma'am", 0.0, 0.4),
        ("in-house", 0.5, 0.9),
    ]
    assert len(_whole_words(parts, spaced=False)) == 4


def _words(*times: tuple[float, float]) -> list[Word]:
    return [Word(a, b, "", str(i), 0.9) for i, (a, b) in enumerate(times)]


def test_a_word_at_the_edge_of_a_turn_stays_with_its_phrase() -> None:
    exclusive = [SpeechSegment(0, 1.95, "A"), SpeechSegment(1.95, 4, "B")]
    words = _words((0.5, 1.0), (1.0, 1.6), (1.8, 2.3), (3.0, 3.5), (3.5, 4.0))
    assert [w.party for w in assign_words(words, exclusive)] == ["A", "A", "A", "B", "B"]


def test_a_short_reply_between_pauses_keeps_its_speaker() -> None:
    exclusive = [
        SpeechSegment(0, 2, "A"),
        SpeechSegment(2.5, 2.9, "B"),
        SpeechSegment(3.5, 5, "A"),
    ]
    words = _words((0.5, 1.0), (1.0, 2.0), (2.5, 2.9), (3.5, 4.0), (4.0, 5.0))
    assert [w.party for w in assign_words(words, exclusive)] == ["A", "A", "B", "A", "A"]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.floats(0, 1000))
def test_shifting_the_clock_changes_no_speaker(starts: list[float], shift_s: float) -> None:
    exclusive = [SpeechSegment(10 * i, 10 * i + 9, "AB"[i % 2]) for i in range(10)]
    # Off the grid of edges and pauses: a tie may fall either way when the clock is shifted.
    words = _words(*((round(s, 1) + 0.03, round(s, 1) + 0.44) for s in sorted(starts)))
    shift_s = round(shift_s)
    moved = [Word(w.start_s + shift_s, w.end_s + shift_s, "", w.text, 0.9) for w in words]
    later = [SpeechSegment(s.start_s + shift_s, s.end_s + shift_s, s.party) for s in exclusive]
    before = [w.party for w in assign_words(words, exclusive)]
    assert [w.party for w in assign_words(moved, later)] == before


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))


@pytest.mark.models
def test_a_real_conversation_is_transcribed_and_timed(engines: Engines, two_speakers: Path) -> None:
    sound = decode(two_speakers, RecordingSettings())
    speech = listen(sound, MONO, SpeechSettings(), engines)
    transcript = transcribe(sound, MONO, speech, SETTINGS, engines)
    reference = " ".join(
        line.split(maxsplit=5)[5]  # file, channel, speaker, start, end, text
        for line in two_speakers.with_suffix(".stm").read_text().splitlines()
    )
    said = " ".join(w.text for w in transcript.words)
    assert jiwer.wer(_plain(reference), _plain(said)) < 0.35
    assert transcript.language == "en"
    assert {w.party for w in transcript.words} == {"A", "B"}
    for word in transcript.words:
        assert word.start_s <= word.end_s
        near = [s for s in speech.segments if s.start_s - 0.3 < word.start_s < s.end_s + 0.3]
        assert near, f"{word.text} at {word.start_s:.2f} s is in silence"


@pytest.mark.models
def test_faster_whisper_hears_what_openai_whisper_hears(
    engines: Engines, two_speakers: Path
) -> None:
    pytest.importorskip("faster_whisper", reason="the `fast` extra is not installed")
    engines.store.pull(["faster-whisper-tiny.en"])
    sound = decode(two_speakers, RecordingSettings())
    speech = listen(sound, MONO, SpeechSettings(), engines)
    ours = transcribe(sound, MONO, speech, SETTINGS, engines)
    other = SETTINGS.model_copy(update={"engine": "faster-whisper"})
    theirs = transcribe(sound, MONO, speech, other, engines)
    assert theirs.language == "en"
    texts = [_plain(" ".join(w.text for w in t.words)) for t in (ours, theirs)]
    assert jiwer.wer(*texts) < 0.25
    assert {w.party for w in theirs.words} == {"A", "B"}
    starts = {_plain(w.text): w.start_s for w in ours.words}
    apart = [abs(w.start_s - starts[p]) for w in theirs.words if (p := _plain(w.text)) in starts]
    assert sorted(apart)[len(apart) // 2] < 0.1


@pytest.mark.models
def test_shifted_sound_gives_the_same_words_later(engines: Engines, two_speakers: Path) -> None:
    sound = decode(two_speakers, RecordingSettings())
    silence = np.zeros((1, 7 * SAMPLE_RATE_HZ), np.int16)
    moved = Sound(np.concatenate([silence, sound.pcm], axis=1), 16000, "pcm")
    segments = (SpeechSegment(6.7, 14.9, "A"),)
    later = tuple(SpeechSegment(s.start_s + 7, s.end_s + 7, s.party) for s in segments)
    first = transcribe(sound, MONO, _speech(segments), SETTINGS, engines)
    second = transcribe(moved, MONO, _speech(later), SETTINGS, engines)
    assert [w.text for w in first.words] == [w.text for w in second.words]
    assert [w.start_s + 7 for w in first.words] == pytest.approx(
        [w.start_s for w in second.words], abs=0.05
    )


def _speech(segments: tuple[SpeechSegment, ...]) -> Speech:
    return Speech(
        *(SpeakerSource.DIARIZATION, ("A",), segments, segments, (), 1.0, "given"), segments
    )


@pytest.mark.models
def test_without_speech_there_are_no_words(engines: Engines) -> None:
    sound = Sound(np.zeros((1, 5 * SAMPLE_RATE_HZ), np.int16), 8000, "pcm")
    silent = Speech(SpeakerSource.NONE, (), (), (), (), 0.0, "no speech")
    assert transcribe(sound, MONO, silent, SETTINGS, engines).words == ()


@pytest.mark.models
def test_beams_that_share_the_sound_read_what_whisper_reads_beam_by_beam(
    engines: Engines, two_speakers: Path
) -> None:
    import torch
    import whisper

    from warmline.words.decoding import decode as decode_encoded

    model = engines.whisper("tiny.en")
    samples = decode(two_speakers, RecordingSettings()).channel(0)
    mels = [
        whisper.log_mel_spectrogram(
            whisper.pad_or_trim(samples[from_s * 16000 :][: length_s * 16000])
        )
        for from_s, length_s in ((6, 12), (7, 2))  # one ends long before the other
    ]
    options = whisper.DecodingOptions(
        language="en", beam_size=3, without_timestamps=True, fp16=False, sample_len=32
    )
    with torch.inference_mode():
        read = decode_encoded(model, model.encoder(torch.stack(mels)), options)
    together = [reading.result for reading in read]
    alone = [whisper.decode(model, mel, options) for mel in mels]
    assert [r.text for r in together] == [r.text for r in alone]
    assert [r.avg_logprob for r in together] == pytest.approx(
        [r.avg_logprob for r in alone],
        abs=5e-3,  # which has letters of every script beside these
    )


@pytest.mark.models
@pytest.mark.parametrize("beam_size", [None, 3])
def test_windows_of_any_length_are_read_together_as_each_would_be_alone(
    engines: Engines, two_speakers: Path, beam_size: int | None
) -> None:
    import torch
    import whisper

    from warmline.words.decoding import decode as decode_encoded
    from warmline.words.decoding import encode

    model = engines.whisper("tiny.en")
    samples = decode(two_speakers, RecordingSettings()).channel(0)
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(samples))
    options = whisper.DecodingOptions(
        language="en", beam_size=beam_size, without_timestamps=True, fp16=False, sample_len=12
    )
    with torch.inference_mode():
        whole = encode(model, mel[None])
        assert torch.equal(whole, model.encoder(mel[None]))
        windows = [encode(model, mel[None, :, a:b])[0] for a, b in ((600, 1400), (1800, 2200))]
        windows.append(whole[0])
        together = [r.result for r in decode_encoded(model, windows, options)]
        alone = [decode_encoded(model, [window], options)[0].result for window in windows]
    assert [r.text for r in together] == [r.text for r in alone]
    assert len({r.text for r in alone}) == len(windows)
    assert [r.avg_logprob for r in together] == pytest.approx(
        [r.avg_logprob for r in alone], abs=1e-3
    )


@pytest.mark.models
@pytest.mark.parametrize("beam_size", [None, 3])
def test_words_are_timed_by_what_was_attended_to_as_whisper_times_them(
    engines: Engines, two_speakers: Path, beam_size: int | None
) -> None:
    import torch
    import whisper
    from whisper.timing import find_alignment
    from whisper.tokenizer import get_tokenizer

    from warmline.words.decoding import align
    from warmline.words.decoding import decode as decode_encoded
    from warmline.words.recognisers import _Encoded

    model = engines.whisper("tiny.en")
    samples = decode(two_speakers, RecordingSettings()).channel(0)
    tokenizer = get_tokenizer(False, language="en", task="transcribe")
    options = whisper.DecodingOptions(
        language="en", beam_size=beam_size, without_timestamps=True, fp16=False
    )
    clips = [samples[from_s * 16000 :][: 10 * 16000] for from_s in (6, 18)]
    mels = [whisper.log_mel_spectrogram(whisper.pad_or_trim(clip)) for clip in clips]
    with torch.inference_mode():
        features = model.encoder(torch.stack(mels))
        for feature, reading in zip(
            features, decode_encoded(model, features, options), strict=True
        ):
            ours = align(reading, tokenizer, 500)
            tokens = reading.result.tokens
            encoded = _Encoded(model, feature)
            theirs = find_alignment(encoded, tokenizer, tokens, feature, 1000)
            assert len(ours) == len(theirs) > 5
            for mine, whispers in zip(ours, theirs, strict=True):
                assert (mine.word, mine.tokens) == (whispers.word, whispers.tokens)
                assert mine.start == pytest.approx(whispers.start, abs=0.1)
                assert mine.end == pytest.approx(whispers.end, abs=0.1)
                assert mine.probability == pytest.approx(whispers.probability, abs=0.01)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_best_tokens_are_those_of_the_whole_vocabulary_that_may_be_said(language: str) -> None:
    import torch
    from whisper.tokenizer import get_tokenizer

    from warmline.words.beams import Sayable

    tokenizer = get_tokenizer(True, num_languages=99, language=language, task="transcribe")
    silent = [*tokenizer.non_speech_tokens, tokenizer.sot, tokenizer.no_speech]
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(tokenizer.timestamp_begin + 1501, 16, generator=generator)
    model = SimpleNamespace(decoder=SimpleNamespace(token_embedding=SimpleNamespace(weight=weight)))
    states = torch.randn(12, 16, generator=generator)
    sayable = Sayable(model, tokenizer, silent)
    spoken = sorted(sayable.tokens.tolist())
    texts = [tokenizer.decode([token]) for token in spoken[:-1]]
    assert not set(spoken) & set(silent)
    assert any(map(is_cyrillic, texts)) == (language == "ru")
    assert len(spoken) > 40_000
    assert {*map(tokenizer.decode, ([t] for t in tokenizer.encode("é £ 5 Ł ő º")))} <= set(texts)
    logits = states @ weight.T
    allowed = torch.full_like(logits, -torch.inf)
    allowed[:, spoken] = logits[:, spoken]
    for is_first in (False, True):
        if is_first:
            allowed[:, [*tokenizer.encode(" "), tokenizer.eot]] = -torch.inf
        expected = allowed.log_softmax(-1).topk(6)
        found = sayable.best(states, 6, None, is_first=is_first)
        assert found.tokens.tolist() == expected.indices.tolist()
        torch.testing.assert_close(found.logprobs, expected.values)
    terms = torch.zeros(12, len(spoken))
    terms[:, sayable.tokens.tolist().index(tokenizer.encode(" ma")[0])] = 100.0
    raised = sayable.best(states, 6, terms, is_first=False)
    assert set(raised.tokens[:, 0].tolist()) == {tokenizer.encode(" ma")[0]}


def is_cyrillic(text: str) -> bool:
    return any("\u0400" <= c <= "\u04ff" for c in text)


def test_a_text_stays_in_its_row_while_it_goes_on() -> None:
    from warmline.words.beams import _in_place, _Next

    going = [_Next(-row, source, 7, 1.0, 0) for row, source in enumerate((3, 3, 4, 3, 0))]
    assert [n.row for n in _in_place(going)] == [0, 3, 3, 3, 4]
    assert sorted(_in_place(going)) == sorted(going)
    fewer = [_Next(-row, source, 7, 1.0, 0) for row, source in enumerate((4, 1))]
    assert [n.row for n in _in_place(fewer)] == [4, 1]


def test_a_window_ends_with_enough_texts_and_the_others_go_on() -> None:
    import torch

    from warmline.words.beams import BeamSearch, Candidates

    end = 9
    task = SimpleNamespace(
        n_group=2, sample_begin=1, tokenizer=SimpleNamespace(eot=end), options=SimpleNamespace()
    )
    task.options.patience = None
    search = BeamSearch(task, None, None)

    def follow(*rows: dict[int, float]) -> Candidates:
        logprobs = torch.tensor([list(row.values()) for row in rows])
        return Candidates(torch.tensor([list(row) for row in rows]), logprobs, logprobs.exp())

    texts = search.begin([7], 2)
    texts = search.choose(texts, follow({1: -1.0, 2: -2.0}, {3: -1.0, end: -2.0}))
    assert texts.tokens == [[7, 1], [7, 3], [7, 2]], "one text of the second window has ended"
    assert texts.rows == {0: [0, 2], 1: [1]}
    texts = search.choose(texts, follow({4: -1.0, 5: -3.0}, {end: -0.5, 6: -1.0}, {4: -1.0, 5: -9}))
    assert texts.rows == {0: [0, 1]}, "the second has two texts that have ended, as many as beams"
    assert texts.tokens == [[7, 1, 4], [7, 2, 4]]
    search.cut_off(texts)
    (first, second), (_, scores) = search.finalize(torch.empty(0), torch.empty(0))
    assert [text.tolist() for text in first] == [[7, 1, 4, end], [7, 2, 4, end]]
    assert [text.tolist() for text in second] == [[7, end], [7, 3, end]]
    assert scores == pytest.approx([-2.0, -1.5])


@pytest.mark.parametrize(("tokens", "frames"), [(1, 6), (6, 1), (5, 3), (30, 200)])
def test_tokens_begin_where_whisper_has_them_begin(
    tokens: int, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own search runs as plain Python here: nothing is compiled for the test."""
    from whisper import timing

    from warmline.words.decoding import first_frames

    monkeypatch.setattr(timing, "backtrace", timing.backtrace.py_func)
    costs = np.random.default_rng(tokens).normal(-0.3, 1.0, (tokens, frames))
    text_at, frame_at = timing.dtw_cpu.py_func(costs)
    expected = frame_at[np.diff(text_at, prepend=-1).astype(bool)]
    assert first_frames(costs).tolist() == expected.tolist()
