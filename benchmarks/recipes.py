"""What a user would assemble instead of warmline: the contenders of the listening benchmark.

Run as a process of its own, so that its time and memory are its own:
`python recipes.py plain|whisperx|words --channels mono|stereo --to FOLDER RECORDING...`
Each writes `<call>.seglst.json` (words) and `<call>.rttm` (speakers), as `warmline export` does.

plain: `whisper.transcribe(word_timestamps=True)`, stock `SpeakerDiarization` (step 0.1), words to
speakers by largest overlap. On two channels: transcribe each channel, no diarization.
whisperx: faster-whisper's batched pipeline (int8, word timestamps), the same diarization.
words: what warmline does of the same, and no more: words and parties, a process for each core, to
which recordings are dealt as `warmline analyze` deals them.
"""

import argparse
import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from warmline import processes, speech, words
from warmline.models.catalogue import faster_whisper_name
from warmline.models.engines import Engines, import_libraries, stay_home
from warmline.recordings.sound import SAMPLE_RATE_HZ, decode
from warmline.settings import Settings, with_overrides
from warmline.speech import channels


class TimedWord(NamedTuple):
    """A word as the recipes give it."""

    start_s: float
    end_s: float
    text: str


class Stretch(NamedTuple):
    """When a speaker speaks."""

    start_s: float
    end_s: float
    speaker: str


Transcribe = Callable[[Any], list[TimedWord]]
Diarize = Callable[[Any], list[Stretch]]
_PAUSE_S = 0.5


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


def stock_diarization(engines: Engines) -> Diarize:
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

    def diarize(samples: Any) -> list[Stretch]:
        waveform = torch.from_numpy(samples)[None]
        output = pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE_HZ})
        found = getattr(output, "speaker_diarization", output)
        return [Stretch(s.start, s.end, who) for s, _, who in found.itertracks(yield_label=True)]

    return diarize


def largest_overlap(word: TimedWord, speakers: Sequence[Stretch]) -> str:
    """The speaker with the most time in the word, else the nearest."""
    start_s, end_s = word.start_s, max(word.end_s, word.start_s + 0.01)
    inside: Counter[str] = Counter()
    for s in speakers:
        inside[s.speaker] += max(0.0, min(end_s, s.end_s) - max(start_s, s.start_s))
    if inside.total() > 0:
        return inside.most_common(1)[0][0]
    middle_s = (start_s + end_s) / 2
    nearest = min(
        speakers,
        key=lambda s: max(s.start_s - middle_s, middle_s - s.end_s),
        default=None,
    )
    return nearest.speaker if nearest else "A"


def joined(words: Sequence[TimedWord], speaker: str) -> list[Stretch]:
    """A speaker's words, where no pause of half a second parts them."""
    found: list[Stretch] = []
    for w in sorted(words, key=lambda w: w.start_s):
        if found and w.start_s - found[-1].end_s < _PAUSE_S:
            found[-1] = found[-1]._replace(end_s=max(found[-1].end_s, w.end_s))
        else:
            found.append(Stretch(w.start_s, w.end_s, speaker))
    return found


def run(
    recording: Path, channels: str, transcribe: Transcribe, diarize: Diarize
) -> tuple[list[tuple[str, TimedWord]], list[Stretch]]:
    """Words with their speakers, and who spoke when."""
    # A recipe hears whatever it is given, silence as well.
    settings = with_overrides(Settings(), {"recordings.silence_db": -200.0})
    sound = decode(recording, settings.recordings)
    if channels == "stereo":
        heard = {"AB"[c]: transcribe(sound.channel(c)) for c in range(2)}
        words = [(party, w) for party, own in heard.items() for w in own]
        return words, [s for party, own in heard.items() for s in joined(own, party)]
    samples = np.ascontiguousarray(sound.channel(0))
    speakers = diarize(samples)
    return [(largest_overlap(w, speakers), w) for w in transcribe(samples)], speakers


@cache
def loaded(model: str) -> tuple[Settings, Engines]:
    """The settings, and the networks that this process has loaded before."""
    chosen = {"words.whisper_model": model, "words.language": "en"}
    settings = with_overrides(Settings(), chosen)
    return settings, Engines.from_settings(settings)


def words_and_parties(recordings: Sequence[Path], model: str, to: Path) -> None:
    """Hear recordings as `warmline analyze` does, up to their words; write what came of it."""
    settings, engines = loaded(model)
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
        speakers = [Stretch(s.start_s, s.end_s, s.party) for s in call.speech.segments]
        said = [(w.party, TimedWord(w.start_s, w.end_s, w.text)) for w in result.transcript.words]
        write(recording, said, speakers, to)


def on_all_cores(recordings: Sequence[Path], model: str, to: Path) -> None:
    """Hear recordings in as many processes as there are cores, each taking a batch when free."""
    import_libraries()  # once for all of them, as `warmline analyze` does
    import torch

    jobs = processes.cores()
    dealt = processes.batches(recordings, lambda path: path.stat().st_size, jobs)
    forking = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, forking, torch.set_num_threads, (1,)) as pool:
        parts = [pool.submit(words_and_parties, batch, model, to) for batch in dealt]
        for part in parts:
            part.result()


def write(
    recording: Path, words: list[tuple[str, TimedWord]], speakers: Sequence[Stretch], to: Path
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
    lines = [
        f"SPEAKER {recording.stem} 1 {s.start_s:.3f} {s.end_s - s.start_s:.3f} "
        f"<NA> <NA> {s.speaker} <NA> <NA>\n"
        for s in speakers
    ]
    (to / f"{recording.stem}.rttm").write_text("".join(lines))


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
    diarize = stock_diarization(engines) if mono else lambda _: []
    for recording in arguments.recordings:
        words, speakers = run(recording, arguments.channels, transcribe, diarize)
        write(recording, words, speakers, arguments.to)
    return 0


if __name__ == "__main__":
    sys.exit(main())
