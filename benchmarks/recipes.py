"""What a user would assemble instead of warmline: the contenders of the listening benchmark.

Run as a process of its own, so that its time and memory are its own:
`python recipes.py plain|whisperx|words --channels mono|stereo --to FOLDER RECORDING...`
Each writes `<call>.seglst.json` (words) and `<call>.rttm` (speakers), as `warmline export` does.

plain: `whisper.transcribe(word_timestamps=True)`, stock `SpeakerDiarization` (step 0.1), words to
speakers by largest overlap. On two channels: transcribe each channel, no diarization.
whisperx: faster-whisper's batched pipeline (int8, word timestamps), the same diarization.
words: what warmline does of the same, and no more: words and parties, a process for each core.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pyannote.core import Annotation, Segment

from warmline import speech, words
from warmline.models.catalogue import faster_whisper_name
from warmline.models.engines import Engines, stay_home
from warmline.recordings.sound import SAMPLE_RATE_HZ, decode
from warmline.settings import Settings, with_overrides
from warmline.speech import channels


class TimedWord(NamedTuple):
    """A word as the recipes give it."""

    start_s: float
    end_s: float
    text: str


Transcribe = Callable[[Any], list[TimedWord]]


def plain_whisper(engines: Engines, model: str) -> Transcribe:
    """openai-whisper as its README uses it, with word timestamps."""
    network = engines.whisper(model)

    def transcribe(samples: Any) -> list[TimedWord]:
        result = network.transcribe(samples, word_timestamps=True, language="en", fp16=False)
        return [
            TimedWord(w["start"], w["end"], w["word"].strip())
            for segment in result["segments"]
            for w in segment.get("words", [])
        ]

    return transcribe


def faster_whisper(engines: Engines, model: str) -> Transcribe:
    """faster-whisper's batched pipeline on the very weights that ours were converted from."""
    stay_home()
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    folder = engines.store.genuine_path_of(faster_whisper_name(model)).parent
    pipeline = BatchedInferencePipeline(
        WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True)
    )

    def transcribe(samples: Any) -> list[TimedWord]:
        segments, _ = pipeline.transcribe(
            samples, language="en", word_timestamps=True, batch_size=8
        )
        return [
            TimedWord(w.start, w.end, w.word.strip())
            for segment in segments
            for w in segment.words or []
        ]

    return transcribe


def stock_diarization(engines: Engines) -> Callable[[Any], Annotation]:
    """pyannote's SpeakerDiarization, step 0.1, with the same networks that warmline has."""
    segmentation, embedding = engines.segmentation(), engines.embedding()
    # The engines have made torchaudio importable on a CPU build of torch.
    import torch
    from pyannote.audio.pipelines import speaker_diarization

    # It loads a PLDA that agglomerative clustering does not use, and takes no None for it.
    speaker_diarization.get_plda = lambda *_, **__: None
    pipeline = speaker_diarization.SpeakerDiarization(
        segmentation=segmentation,
        segmentation_step=0.1,
        embedding=embedding,
        clustering="AgglomerativeClustering",
        embedding_exclude_overlap=True,
        embedding_batch_size=32,
        segmentation_batch_size=32,
    )
    pipeline.instantiate(
        {
            "segmentation": {"min_duration_off": 0.0},
            "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7},
        }
    )

    def diarize(samples: Any) -> Annotation:
        waveform = torch.from_numpy(samples)[None]
        output = pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE_HZ})
        return getattr(output, "speaker_diarization", output)

    return diarize


def largest_overlap(word: TimedWord, diarization: Annotation) -> str:
    """The speaker with the most time in the word, else the nearest."""
    span = Segment(word.start_s, max(word.end_s, word.start_s + 0.01))
    inside = diarization.crop(span)
    if inside:
        return str(inside.argmax())
    middle = span.middle
    nearest = min(
        diarization.itertracks(yield_label=True),
        key=lambda track: max(track[0].start - middle, middle - track[0].end),
        default=None,
    )
    return str(nearest[2]) if nearest else "A"


def run(
    recording: Path, channels: str, transcribe: Transcribe, diarize: Callable[[Any], Annotation]
) -> tuple[list[tuple[str, TimedWord]], Annotation]:
    """Words with their speakers, and who spoke when."""
    # A recipe hears whatever it is given, silence as well.
    settings = with_overrides(Settings(), {"recordings.silence_db": -200.0})
    sound = decode(recording, settings.recordings)
    if channels == "stereo":
        words = [("AB"[c], w) for c in range(2) for w in transcribe(sound.channel(c))]
        speakers = Annotation(uri=recording.stem)
        for i, (party, w) in enumerate(words):
            speakers[Segment(w.start_s, w.end_s), i] = party
        return words, speakers.support(0.5)
    samples = np.ascontiguousarray(sound.channel(0))
    speakers = diarize(samples)
    return [(largest_overlap(w, speakers), w) for w in transcribe(samples)], speakers


def words_and_parties(recordings: Sequence[Path], model: str, to: Path) -> None:
    """Hear recordings as `warmline analyze` does, up to their words; write what came of it."""
    chosen = {"words.whisper_model": model, "words.language": "en"}
    settings = with_overrides(Settings(), chosen)
    engines = Engines.from_settings(settings)
    heard = []
    for recording in recordings:
        sound = decode(recording, settings.recordings)
        layout, sound = channels.resolve(sound, settings.channels)
        found = speech.listen(sound, layout, settings.speech, engines)
        heard.append(words.SpeechToTranscribe(sound, layout, found))
    told = words.transcribe(heard, settings.words, engines)
    for recording, call, result in zip(recordings, heard, told, strict=True):
        if isinstance(result, Exception):
            raise result
        speakers = Annotation(uri=recording.stem)
        for i, segment in enumerate(call.speech.segments):
            speakers[Segment(segment.start_s, segment.end_s), i] = segment.party
        said = [(w.party, TimedWord(w.start_s, w.end_s, w.text)) for w in result.transcript.words]
        write(recording, said, speakers, to)


def on_all_cores(recordings: Sequence[Path], model: str, to: Path) -> None:
    """Hear recordings in as many processes as there are cores, one after another in turn."""
    import torch

    cores = len(os.sched_getaffinity(0))
    forking = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(cores, forking, torch.set_num_threads, (1,)) as pool:
        parts = [
            pool.submit(words_and_parties, recordings[i::cores], model, to) for i in range(cores)
        ]
        for part in parts:
            part.result()


def write(
    recording: Path, words: list[tuple[str, TimedWord]], speakers: Annotation, to: Path
) -> None:
    """The same two files that `warmline export` writes."""
    entries = [
        {
            "session_id": recording.stem,
            "speaker": party,
            "start_time": w.start_s,
            "end_time": w.end_s,
            "words": w.text,
        }
        for party, w in words
    ]
    (to / f"{recording.stem}.seglst.json").write_text(json.dumps(entries))
    speakers.uri = recording.stem
    (to / f"{recording.stem}.rttm").write_text(speakers.to_rttm())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=["plain", "whisperx", "words"])
    parser.add_argument("--channels", choices=["mono", "stereo"], required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("recordings", type=Path, nargs="+")
    return parser.parse_args()


def main() -> int:
    """Transcribe and diarize each recording; write what came of it."""
    arguments = _arguments()
    arguments.to.mkdir(parents=True, exist_ok=True)
    if arguments.recipe == "words":
        on_all_cores(arguments.recordings, arguments.model, arguments.to)
        return 0
    engines = Engines.from_settings(Settings())
    load = plain_whisper if arguments.recipe == "plain" else faster_whisper
    transcribe = load(engines, arguments.model)
    mono = arguments.channels == "mono"
    diarize = stock_diarization(engines) if mono else lambda _: Annotation()
    for recording in arguments.recordings:
        words, speakers = run(recording, arguments.channels, transcribe, diarize)
        write(recording, words, speakers, arguments.to)
    return 0


if __name__ == "__main__":
    sys.exit(main())
