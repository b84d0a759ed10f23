"""Scores of what a contender wrote, against the truth: WER, cpWER, DER, words out of place."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from statistics import mean, median
from typing import Any

from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.util import load_rttm

COLLAR_S = 0.25  # each side; pyannote.metrics counts both
_SILENCE_MARGIN_S = 0.5


@dataclass(frozen=True)
class Truth:
    """What people heard in a call: turns of `agent` and `caller`, and its length."""

    call: str
    turns: tuple[Mapping[str, Any], ...]
    duration_s: float

    def words_of(self, speaker: str) -> str:
        """All that a speaker said, normalised."""
        return normalised(" ".join(t["text"] for t in self.turns if t["speaker"] == speaker))

    @property
    def annotation(self) -> Annotation:
        """Who spoke when."""
        annotation = Annotation(uri=self.call)
        for i, t in enumerate(self.turns):
            annotation[Segment(t["start"], t["end"]), i] = t["speaker"]
        return annotation


@dataclass(frozen=True)
class Score:
    """Rates over all calls; `wer` is per party by channel, None on a shared channel.

    `words_in_silence` counts words whose middle is more than 0.5 s from anybody's speech.
    """

    wer: float | None
    cpwer: float
    der: float
    der_collar: float
    confusion_share: float
    words_in_silence: int


@cache
def _normaliser() -> Any:
    from whisper.normalizers import EnglishTextNormalizer

    return EnglishTextNormalizer()


def normalised(text: str) -> str:
    """Whisper's English normalisation, applied to both sides."""
    return str(_normaliser()(text))


def score(
    truths: list[Truth], folder: Path, party_of: Mapping[str, tuple[str, ...]] | None
) -> Score:
    """Score every call's `.seglst.json` and `.rttm` in a folder.

    `party_of` maps the speakers of the truth to names they may have in the files, where channels
    are speakers; without it speakers are matched as cpWER does.
    """
    import jiwer
    from meeteval.wer import combine_error_rates, cp_word_error_rate
    from pyannote.metrics.diarization import DiarizationErrorRate

    # It would say for every call that words without times are taken in the order given.
    logging.getLogger("preprocess").setLevel(logging.ERROR)
    strict, lenient = DiarizationErrorRate(), DiarizationErrorRate(collar=2 * COLLAR_S)
    rates, said, heard = [], [], []
    in_silence = 0
    for truth in truths:
        words = json.loads((folder / f"{truth.call}.seglst.json").read_text())
        hypothesis = {
            speaker: normalised(" ".join(w["words"] for w in words if w["speaker"] == speaker))
            for speaker in sorted({w["speaker"] for w in words})
        }
        reference = {s: truth.words_of(s) for s in ("agent", "caller")}
        rates.append(cp_word_error_rate(reference, hypothesis))
        if party_of:
            for speaker, names in party_of.items():
                said.append(reference[speaker])
                heard.append(next((hypothesis[n] for n in names if n in hypothesis), ""))
        in_silence += sum(not _near(truth, (w["start_time"] + w["end_time"]) / 2) for w in words)
        everything = Timeline([Segment(0, truth.duration_s)])
        found = load_rttm(folder / f"{truth.call}.rttm").get(truth.call, Annotation())
        strict(truth.annotation, found, uem=everything)
        lenient(truth.annotation, found, uem=everything)
    parts = strict[:]
    return Score(
        jiwer.wer(said, heard) if party_of else None,
        float(combine_error_rates(rates).error_rate),
        abs(strict),
        abs(lenient),
        parts["confusion"] / parts["total"],
        in_silence,
    )


def _near(truth: Truth, time_s: float) -> bool:
    return any(
        t["start"] - _SILENCE_MARGIN_S < time_s < t["end"] + _SILENCE_MARGIN_S for t in truth.turns
    )


@dataclass(frozen=True)
class WordStarts:
    """How far word starts lie from the truth, over the words that were recognised right."""

    matched: int
    spoken: int
    mean_error_s: float
    median_error_s: float


def word_starts(truths: Mapping[str, list[Mapping[str, Any]]], folder: Path) -> WordStarts:
    """Compare the word starts of `.seglst.json` files with the true words of simulated calls.

    `truths` maps a call to its words (`text`, `start_s`). Words are matched in order of time, by
    the longest matching blocks of their normalised texts.
    """
    errors: list[float] = []
    spoken = 0
    for call, words in truths.items():
        true = sorted(words, key=lambda w: w["start_s"])
        heard = json.loads((folder / f"{call}.seglst.json").read_text())
        heard.sort(key=lambda w: w["start_time"])
        spoken += len(true)
        matcher = SequenceMatcher(
            None, [_bare(w["text"]) for w in true], [_bare(w["words"]) for w in heard], False
        )
        for a, b, size in matcher.get_matching_blocks():
            errors += [
                abs(true[a + i]["start_s"] - heard[b + i]["start_time"]) for i in range(size)
            ]
    return WordStarts(len(errors), spoken, mean(errors), median(errors))


def _bare(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum() or c == "'")
