"""What a telephone does to a call, and what that does to an analysis of it.

`python degradation.py FOLDER --to RESULTS-degradation.md` takes the shortest two-channel calls of
FOLDER that have a human transcript (`<call>.json`: start, end, speaker, text), spoils them in each
of the ways below, and analyzes every copy. Spoiling is seeded: the same calls give the same copies.
`--recipe` has faster-whisper's batched pipeline (see `recipes.py`) hear each copy, too.

For each way: word error rate per party, DER with a collar of 0.25 s, words where nobody speaks, in
how many calls the agent was found (and mistaken), and the share of measures that were suppressed.
"""

import argparse
import io
import sys
import tempfile
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from accounting import machine
from calls import RATE_HZ, truths
from numpy.typing import NDArray
from recipes import Stretch, TimedWord, faster_whisper
from recipes import run as run_recipe
from recipes import write as write_files
from scoring import Score, Truth, score

from warmline.analysis import CallAnalysis
from warmline.errors import Status
from warmline.models.engines import Engines
from warmline.pipeline.analyze import CallInput, analyze_recordings
from warmline.pipeline.stages import CacheKeys
from warmline.settings import Settings, with_overrides
from warmline.values import RoleName

Channels = NDArray[np.float64]  # (channels, samples), full scale is 1
PARTIES = {"caller": ("A",), "agent": ("B",)}
SEED = 20
_FRAME = RATE_HZ // 50  # 20 ms, as in a packet
_LATE_S = 10.0


@dataclass(frozen=True)
class Spoilt:
    """A call in another state; `silent` is (speaker, from, to) where a channel carries nothing."""

    channels: Channels
    silent: tuple[str, float, float] | None = None


@dataclass(frozen=True)
class Way:
    """A way in which calls are spoilt; `apply` is given the call and the other calls' speech."""

    name: str
    apply: Callable[[Channels, Channels], Spoilt]


def through_codec(channels: Channels, name: str, bit_rate: int | None = None) -> Channels:
    """Each channel after encoding and decoding; the codec's own delay is taken off again."""
    return np.stack([_one_through_codec(channel, name, bit_rate) for channel in channels])


def _one_through_codec(channel: NDArray[np.float64], name: str, bit_rate: int | None) -> Channels:
    container = {"libopus": "ogg", "libopencore_amrnb": "amr"}.get(name, "wav")
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(name, rate=RATE_HZ, layout="mono")
        if bit_rate:
            stream.bit_rate = bit_rate
        pcm = _pcm(channel)[None]
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.rate = RATE_HZ
        resampler = av.AudioResampler(stream.format.name, "mono", RATE_HZ, stream.frame_size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    file.seek(0)
    heard = []
    with av.open(file) as coded:
        back = av.AudioResampler("s16", "mono", RATE_HZ)
        for decoded in coded.decode(audio=0):
            heard += [part.to_ndarray()[0] for part in back.resample(decoded)]
        heard += [part.to_ndarray()[0] for part in back.resample(None)]
    return _aligned(channel, np.concatenate(heard) / 32768)


def _aligned(original: NDArray[np.float64], coded: NDArray[np.float64]) -> Channels:
    """The coded channel shifted by the lag at which it is most like the original."""
    size = original.size
    coded = np.pad(coded, (0, max(0, size - coded.size)))[:size]
    spectrum = np.fft.rfft(coded, 2 * size) * np.conj(np.fft.rfft(original, 2 * size))
    most = RATE_HZ // 10
    lag = int(np.argmax(np.fft.irfft(spectrum)[:most]))
    return np.pad(coded[lag:], (0, lag))


def lossy(channels: Channels, share: float) -> Channels:
    """Packets of 20 ms lost at random, each channel's by themselves, and not concealed."""
    rng = np.random.default_rng(SEED)
    count = -(-channels.shape[1] // _FRAME)
    kept = rng.random((len(channels), count)) >= share
    return channels * np.repeat(kept, _FRAME, axis=1)[:, : channels.shape[1]]


def speech_power(channel: NDArray[np.float64]) -> float:
    """Mean square of the frames within 25 dB of the loudest: about where there is speech."""
    frames = channel[: channel.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = (frames**2).mean(axis=1)
    return float(power[power > power.max() / 10**2.5].mean()) if power.max() > 0 else 0.0


def with_noise(channels: Channels, noise: NDArray[np.float64], snr_db: float) -> Channels:
    """Noise on every channel, so many dB below the channel's speech.

    Each channel has a part of it of its own: the parties of a call are in different places.
    """
    level = np.sqrt((noise**2).mean())
    gains = [np.sqrt(speech_power(channel)) / level / 10 ** (snr_db / 20) for channel in channels]
    apart = noise.size // len(channels)
    own = np.stack([np.roll(noise, i * apart) for i in range(len(channels))])
    return channels + np.array(gains)[:, None] * own


def babble(others: Channels, size: int) -> NDArray[np.float64]:
    """The voices of other calls at once."""
    return np.resize(others.sum(axis=0), size)


def hum(size: int) -> NDArray[np.float64]:
    """The mains: 50 Hz and its harmonics up to 350 Hz."""
    time_s = np.arange(size) / RATE_HZ
    return np.sum([np.sin(2 * np.pi * 50 * n * time_s) / n for n in (1, 2, 3, 5, 7)], axis=0)


def clipped(channels: Channels, gain_db: float) -> Channels:
    """Raised until it is cut off at full scale, then lowered again."""
    peak = np.abs(channels).max()
    return np.clip(channels / peak * 10 ** (gain_db / 20), -1, 1) * peak


def at_level(channels: Channels, peak_db: float) -> Channels:
    """The loudest sample at so many dB of full scale."""
    return channels / np.abs(channels).max() * 10 ** (peak_db / 20)


def leaking(channels: Channels, down_db: float, delay_s: float) -> Channels:
    """Each party on the other's channel too, so many dB down, and late as an echo is."""
    delay = round(delay_s * RATE_HZ)
    other = np.pad(channels[::-1], ((0, 0), (delay, 0)))[:, : channels.shape[1]]
    return channels + other / 10 ** (down_db / 20)


def drifting(channels: Channels, parts_per_million: float) -> Channels:
    """The agent's channel recorded by a faster clock."""
    size = channels.shape[1]
    at = np.arange(size) * (1 + parts_per_million / 1e6)
    agent = np.interp(at, np.arange(size), channels[1], right=0.0)
    return np.stack([channels[0], agent])


def silenced(channels: Channels, channel: int, from_s: float, to_s: float) -> Spoilt:
    """One channel that carries nothing for a while."""
    quiet = channels.copy()
    quiet[channel, round(from_s * RATE_HZ) : round(to_s * RATE_HZ)] = 0
    return Spoilt(quiet, (("caller", "agent")[channel], from_s, to_s))


def ways() -> list[Way]:
    """All that is tried, the untouched call first."""

    def plain(name: str, spoil: Callable[[Channels], Channels]) -> Way:
        return Way(name, lambda channels, _others: Spoilt(spoil(channels)))

    def length_s(channels: Channels) -> float:
        return channels.shape[1] / RATE_HZ

    return [
        plain("as recorded", lambda c: c),
        plain("G.711 A-law", lambda c: through_codec(c, "pcm_alaw")),
        plain("AMR-NB 4.75 kb/s", lambda c: through_codec(c, "libopencore_amrnb", 4750)),
        plain("Opus 8 kb/s", lambda c: through_codec(c, "libopus", 8000)),
        *(plain(f"packet loss {n} %", lambda c, n=n: lossy(c, n / 100)) for n in (1, 5, 10)),  # type: ignore[misc]
        *(
            Way(
                f"babble, SNR {db} dB",
                lambda c, others, db=db: Spoilt(with_noise(c, babble(others, c.shape[1]), db)),  # type: ignore[misc]
            )
            for db in (20, 10, 5)
        ),
        plain("hum, SNR 10 dB", lambda c: with_noise(c, hum(c.shape[1]), 10)),
        plain("clipped by 20 dB", lambda c: clipped(c, 20)),
        *(plain(f"peak at {db} dB", lambda c, db=db: at_level(c, db)) for db in (0, -20, -40)),  # type: ignore[misc]
        plain("caller 30 dB below agent", lambda c: c * np.array([[10**-1.5], [1.0]])),
        plain("echo 20 dB down, 150 ms late", lambda c: leaking(c, 20, 0.15)),
        plain("crosstalk 15 dB down", lambda c: leaking(c, 15, 0.0)),
        plain("clocks apart by 500 ppm", lambda c: drifting(c, 500)),
        Way("caller's channel 10 s late", lambda c, _o: silenced(c, 0, 0, _LATE_S)),
        Way(
            "agent's channel dies half-way",
            lambda c, _o: silenced(c, 1, length_s(c) / 2, length_s(c)),
        ),
    ]


@dataclass(frozen=True)
class Outcome:
    """What came of one way; scores are None when a call was refused."""

    refused: tuple[str, ...]
    score: Score | None
    agents_found: int
    agents_mistaken: int
    suppressed: float
    recipe: Score | None


def truth_after(truth: Truth, spoilt: Spoilt) -> Truth:
    """What can still be heard: turns whose middle lies in a silenced part are gone."""
    if spoilt.silent is None:
        return truth
    who, from_s, to_s = spoilt.silent
    return replace(
        truth,
        turns=tuple(
            t
            for t in truth.turns
            if not (t["speaker"] == who and from_s < (t["start"] + t["end"]) / 2 < to_s)
        ),
    )


def try_way(
    way: Way,
    calls: Sequence[tuple[Truth, Channels]],
    others: Channels,
    hear: Callable[[Sequence[Path]], list[CallAnalysis]],
    recipe: Callable[[Path, Path], None] | None,
) -> Outcome:
    """Spoil the calls in one way, analyze them, and compare with the truth."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        truths_after, paths = [], []
        for truth, channels in calls:
            spoilt = way.apply(channels, others)
            truths_after.append(truth_after(truth, spoilt))
            paths.append(work / f"{truth.call}.wav")
            _write(paths[-1], spoilt.channels)
        analyses = hear(paths)
        refused = [a.reason or "" for a in analyses if a.status is not Status.ANALYZED]
        for path, analysis in zip(paths, analyses, strict=True):
            write_files(path, *found_in(analysis), work)
        ours = None if refused else score(truths_after, work, PARTIES)
        theirs = None
        if recipe:
            (work / "recipe").mkdir()
            for path in paths:
                recipe(path, work / "recipe")
            theirs = score(truths_after, work / "recipe", PARTIES)
    roles = [_agent(analysis) for analysis in analyses]
    return Outcome(
        tuple(refused),
        ours,
        roles.count("B"),
        roles.count("A"),
        float(np.mean([_withheld(analysis) for analysis in analyses])),
        theirs,
    )


def found_in(analysis: CallAnalysis) -> tuple[list[tuple[str, TimedWord]], list[Stretch]]:
    """The words of an analysis with their parties, and who spoke when."""
    words = analysis.transcript.words if analysis.transcript else ()
    segments = analysis.speech.segments if analysis.speech else ()
    said = [(w.party, TimedWord(w.start_s, w.end_s, w.text)) for w in words]
    return said, [Stretch(s.start_s, s.end_s, s.party) for s in segments]


def _agent(analysis: CallAnalysis) -> str | None:
    return analysis.conversation.party_of(RoleName.AGENT) if analysis.conversation else None


def _withheld(analysis: CallAnalysis) -> float:
    """The share of the call's measures that have no value."""
    parts = (analysis.prosody, analysis.floor, analysis.empathy)
    metrics = [metric for part in parts if part for metric in part.metrics]
    return float(np.mean([m.value is None for m in metrics])) if metrics else 1.0


def _pcm(samples: Channels) -> NDArray[np.int16]:
    return np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)


def _write(path: Path, channels: Channels) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((len(channels), 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(_pcm(channels).T.tobytes())


def read(path: Path) -> Channels:
    """Channels of a WAV file. Raises ValueError when it has another rate than a telephone's."""
    with wave.open(str(path)) as file:
        if file.getframerate() != RATE_HZ:
            raise ValueError(f"{path}: {file.getframerate()} Hz; the bench takes {RATE_HZ} Hz")
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return pcm.reshape(-1, file.getnchannels()).T / 32768


def row(name: str, outcome: Outcome, calls: int) -> str:
    """A way's line of the table."""
    s, r = outcome.score, outcome.recipe
    ours = (
        f"{s.wer:.3f} | {s.der_collar:.3f} | {s.words_in_silence}"
        if s
        else f"refused: {outcome.refused[0]} | |"
    )
    mistaken = f", {outcome.agents_mistaken} mistaken" if outcome.agents_mistaken else ""
    found = f"{outcome.agents_found} of {calls}{mistaken}"
    theirs = f" {r.wer:.3f} | {r.words_in_silence} |" if r else ""
    return f"| {name} | {ours} | {found} | {outcome.suppressed:.2f} |{theirs}"


def _recipe(engines: Engines, model: str) -> Callable[[Path, Path], None]:
    transcribe = faster_whisper(engines, model)

    def hear(path: Path, to: Path) -> None:
        write_files(path, *run_recipe(path, "stereo", transcribe, lambda _: []), to)

    return hear


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, help="Markdown file; standard output without it")
    parser.add_argument("--calls", type=int, default=2, help="So many of the shortest")
    parser.add_argument("--model", default="base")
    parser.add_argument("--recipe", action="store_true", help="Beside it, what others would use")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="Ways with a word in their name")
    return parser.parse_args()


def main() -> int:
    """Try every way, and write the report as it grows."""
    arguments = _arguments()
    found = sorted(truths(arguments.folder), key=lambda truth: truth.duration_s)
    if not found:
        print(f"{arguments.folder}: no call.wav with its call.json there", file=sys.stderr)  # noqa: T201
        return 2
    sounds = [(truth, read(arguments.folder / f"{truth.call}.wav")) for truth in found]
    chosen = sounds[: arguments.calls]
    size = max(channels.shape[1] for _, channels in sounds)
    # A call's own voices are no babble behind it, where there are others.
    rest = sounds[arguments.calls :] or sounds
    others = np.concatenate([np.resize(c, (len(c), size)) for _, c in rest])
    settings = with_overrides(
        Settings(),
        {
            "words.whisper_model": arguments.model,
            "words.language": "en",
            "redaction.enabled": False,  # people's transcripts have every word that was said
        },
    )
    engines, keys = Engines.from_settings(settings), CacheKeys.of(settings)

    def hear(paths: Sequence[Path]) -> list[CallAnalysis]:
        given = [CallInput(path) for path in paths]
        return [a for _, a in sorted(analyze_recordings(given, keys, engines), key=lambda p: p[0])]

    recipe = _recipe(engines, arguments.model) if arguments.recipe else None
    beside = " recipe: WER | recipe: words in silence |" if recipe else ""
    lines = ["# What a telephone does to a call", "", f"Machine: {machine()}."]
    lines += [f"Model `{arguments.model}`. The {len(chosen)} shortest calls, on two channels.", ""]
    lines += [
        "| | WER per party | DER, collar 0.25 s | words in silence | agent found | suppressed |"
        + beside
    ]
    lines += ["|---" * (8 if recipe else 6) + "|"]
    for way in ways():
        if arguments.only and not any(word in way.name for word in arguments.only):
            continue
        lines.append(row(way.name, try_way(way, chosen, others, hear, recipe), len(chosen)))
        print(lines[-1], file=sys.stderr, flush=True)  # noqa: T201
        if arguments.to:
            arguments.to.write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
