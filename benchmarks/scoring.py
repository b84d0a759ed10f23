"""Scores of what a contender wrote, against human transcripts: WER, cpWER, DER."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.util import load_rttm

COLLAR_S = 0.25  # each side; pyannote.metrics counts both


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
    """Rates over all calls; `wer` is per party by channel, None on a shared channel."""

    wer: float | None
    cpwer: float
    der: float
    der_collar: float
    confusion_share: float


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

    strict, lenient = DiarizationErrorRate(), DiarizationErrorRate(collar=2 * COLLAR_S)
    rates, said, heard = [], [], []
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
    )
