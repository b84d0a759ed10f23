"""What a vocabulary does to names: how many are heard, and how many are heard that nobody said.

`python vocabulary.py FOLDER --to RESULTS-vocabulary.md` transcribes the calls of FOLDER that have a
human transcript, and the simulated sample calls, several times in one process: without a vocabulary
and with `names.txt` in several ways. Most of its names are not said, so that names put in by
mistake show. Where people spoke is found once. A name counts as heard if the party that said it has
it in its transcript; both sides are normalised as by Whisper, names are matched longest first. How
numbers and spelled letters are written is counted on the calls of FOLDER.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
from accounting import machine
from calls import truths
from scoring import normalised

from warmline.files import folder as resource
from warmline.models.engines import Engines
from warmline.recordings.sound import decode
from warmline.settings import Settings, WordSettings, with_overrides
from warmline.speech import listen
from warmline.speech.channels import resolve
from warmline.words import SpeechToTranscribe, transcribe
from warmline.words.vocabulary import read_terms

NAMES = Path(__file__).with_name("names.txt")


@dataclass(frozen=True)
class Call:
    """A call that was listened to, and what each party said, by the name of the party."""

    speech: SpeechToTranscribe
    said: Mapping[str, str]


@dataclass(frozen=True)
class Heard:
    """What came of a set of calls: names said, heard, and heard rightly, and word errors."""

    said: int
    heard: int
    right: int
    wer: float
    cpu_s: float
    put_in: Counter[str]


def listened(path: Path, said: Mapping[str, str], settings: Settings, engines: Engines) -> Call:
    """A recording, decoded, with the places of its speech."""
    sound = decode(path, settings.recordings)
    layout, _ = resolve(sound, settings.channels)
    speech = listen(sound, layout, settings.speech, engines)
    return Call(SpeechToTranscribe(sound, layout, speech, "en"), said)


def acted(folder: Path, settings: Settings, engines: Engines) -> list[Call]:
    """The calls of a folder: the caller is on the left channel, the agent on the right."""
    return [
        listened(
            folder / f"{truth.call}.wav",
            {"A": truth.words_of("caller"), "B": truth.words_of("agent")},
            settings,
            engines,
        )
        for truth in truths(folder)
    ]


def simulated(settings: Settings, engines: Engines) -> list[Call]:
    """The sample calls with a channel for each party; their words are those of the script."""
    samples = resource("audio") / "samples"
    calls = []
    for file in sorted((samples / "truth").glob("*.json")):
        truth = json.loads(file.read_text(encoding="utf-8"))
        if truth["layout"] != "stereo":
            continue
        party_of = {one["name"]: one["party"] for one in truth["speakers"]}
        said: dict[str, list[str]] = {party: [] for party in party_of.values()}
        for turn in truth["turns"]:
            said[party_of[turn["speaker"]]].append(turn["text"])
        path = next(p for p in samples.glob(f"{file.stem}.*") if p.suffix not in (".json", ".toml"))
        texts = {party: normalised(" ".join(lines)) for party, lines in said.items()}
        calls.append(listened(path, texts, settings, engines))
    return calls


def transcripts(
    calls: Sequence[Call], words: WordSettings, engines: Engines
) -> tuple[list[dict[str, str]], float]:
    """What each party said in each call, as it was heard, and the CPU time of hearing it."""
    started = time.process_time()
    results = transcribe([call.speech for call in calls], words, engines)
    cpu_s = time.process_time() - started
    heard = []
    for call, result in zip(calls, results, strict=True):
        if isinstance(result, Exception):
            raise result
        own = result.transcript.words
        heard.append({p: " ".join(w.text for w in own if w.party == p) for p in call.said})
    return heard, cpu_s


def named(terms: Iterable[str]) -> re.Pattern[str]:
    """An expression for every term in a normalised text, the longest first."""
    plain = sorted({normalised(term) for term in terms}, key=len, reverse=True)
    return re.compile(r"\b(" + "|".join(map(re.escape, plain)) + r")\b")


def compare(
    calls: Sequence[Call], heard: Sequence[Mapping[str, str]], names: re.Pattern[str], cpu_s: float
) -> Heard:
    """Count names and word errors over all parties of all calls."""
    pairs = [(c.said[p], normalised(h[p])) for c, h in zip(calls, heard, strict=True) for p in h]
    said = [Counter(names.findall(truth)) for truth, _ in pairs]
    found = [Counter(names.findall(text)) for _, text in pairs]
    right = [own & other for own, other in zip(said, found, strict=True)]
    put_in: Counter[str] = Counter()
    for other, both in zip(found, right, strict=True):
        put_in += other - both
    counts = (sum(counter.total() for counter in side) for side in (said, found, right))
    wer = jiwer.wer([truth for truth, _ in pairs], [text for _, text in pairs])
    return Heard(*counts, wer, cpu_s, put_in)


_NUMBER_WORDS = re.compile(
    r"\b(zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|"
    r"hundred|thousand)\b",
    re.IGNORECASE,
)


def numbers(calls: Sequence[Mapping[str, str]]) -> str:
    """How numbers and spelled letters are written in what was heard, counted."""
    text = " ".join(line for call in calls for line in call.values())
    figures = re.findall(r"\d[\d,.:-]*", text)
    spelled = re.findall(r"\b(?:[A-Z][ ,.-]+){2,}[A-Z]\b", text)
    alphabet = re.findall(r"\b[A-Z],? (?:as in|like|for) [A-Za-z]+", text)
    return (
        f"{len(figures)} numbers in figures ({', '.join(f'`{f}`' for f in figures)}), "
        f"{len(_NUMBER_WORDS.findall(text))} number words, {len(spelled)} words spelled in letters "
        f"({', '.join(f'`{s}`' for s in spelled) or 'none'}), "
        f"{len(alphabet)} letters explained (as in `M as in Mary`)."
    )


def table(rows: Iterable[tuple[str, Heard]]) -> list[str]:
    """A row for each way of hearing the same calls."""
    lines = [
        "| | recall of names | precision | put in | WER | CPU s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for title, h in rows:
        lines.append(
            f"| {title} | {h.right / max(h.said, 1):.3f} ({h.right} of {h.said}) "
            f"| {h.right / max(h.heard, 1):.3f} ({h.right} of {h.heard}) "
            f"| {', '.join(f'{name} {n}' for name, n in h.put_in.items()) or 'none'} "
            f"| {h.wer:.3f} | {h.cpu_s:.1f} |"
        )
    return lines


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, help="Markdown file; standard output without it")
    parser.add_argument("--model", default="base")
    parser.add_argument("--weights", type=float, nargs="+", default=[1.0, 2.0, 3.0])
    arguments = parser.parse_args()
    plain = with_overrides(Settings(), {"words.whisper_model": arguments.model})
    engines = Engines.from_settings(plain)
    terms = read_terms(str(NAMES))
    names = named(terms)
    lines = ["# A vocabulary", "", f"Written by `vocabulary.py`; do not edit. {machine()}."]
    lines += [f"Model `{arguments.model}`, {len(terms)} terms of `names.txt`, beams of five.", ""]
    for title, calls in (
        ("Acted bank calls", acted(arguments.folder, plain, engines)),
        ("Simulated calls of two channels", simulated(plain, engines)),
    ):
        rows = []
        for weight in (None, *arguments.weights):
            chosen = {"words.vocabulary": str(NAMES), "words.vocabulary_weight": weight}
            settings = plain if weight is None else with_overrides(plain, chosen)
            heard, cpu_s = transcripts(calls, settings.words, engines)
            way = "no vocabulary" if weight is None else f"each token of a name adds {weight:g}"
            rows.append((way, compare(calls, heard, names, cpu_s)))
            if weight is None:
                counted = numbers(heard)
            print(f"{title}, {way}: {rows[-1][1]}", file=sys.stderr, flush=True)  # noqa: T201
        said = sum(bool(names.search(text)) for call in calls for text in call.said.values())
        lines += [f"## {title}", "", f"{len(calls)} calls; {said} parties say names.", ""]
        lines += [*table(rows), "", f"Without a vocabulary: {counted}", ""]
    if arguments.to:
        arguments.to.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
