"""How long the language stage takes over an hour's call: `python benchmarks/language_speed.py`.

The call is made of the invented dialogues of `training/support_turns.txt`, one after another, at
150 words a minute. It is scored turn by turn (`score_turns`) and read as the pipeline reads it
(`read`); what is said are medians of the rounds, CPU time being that of all threads
(`OMP_NUM_THREADS` says how many). Loading, once in a process, stands by itself.
"""

import argparse
import re
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from accounting import machine

from warmline import language
from warmline.models.engines import Engines
from warmline.settings import Settings
from warmline.values import Conversation, RoleName, Transcript, Turn, Word

TARGET_S = 5.0
_DIALOGUES = Path(__file__).parents[1] / "training" / "support_turns.txt"
_TURN = re.compile(r"([AC]) [^:]*: (.*)")  # who speaks, labels, words
_PARTIES = {"A": ("A", RoleName.AGENT), "C": ("B", RoleName.CUSTOMER)}
_WORD_S = 60.0 / 150.0


def call_of(minutes: float) -> tuple[Conversation, Transcript]:
    """The first turns of the dialogues for so long; every word takes equally long."""
    turns: list[Turn] = []
    words: list[Word] = []
    for found in _TURN.finditer(_DIALOGUES.read_text(encoding="utf-8")):
        (party, role), text = _PARTIES[found[1]], found[2]
        start_s = len(words) * _WORD_S
        if start_s >= 60.0 * minutes:
            break
        for word in text.split():
            at_s = len(words) * _WORD_S
            words.append(Word(at_s, at_s + _WORD_S, party, word, 1.0))
        end_s, count = len(words) * _WORD_S, len(text.split())
        turns.append(Turn(start_s, end_s, len(turns), party, role, text, count, end_s - start_s))
    return Conversation((), tuple(turns)), Transcript("en", 1.0, tuple(words), (), {})


def timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Medians of wall and of CPU seconds."""
    wall, cpu = [], []
    for _ in range(rounds):
        began = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began[0])
        cpu.append(time.process_time() - began[1])
    return statistics.median(wall), statistics.median(cpu)


def main() -> None:
    """Print what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the call")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    lines = [machine()]
    call = call_of(chosen.minutes)
    told = [{"speaker": turn.role.value, "text": turn.text} for turn in call[0].turns]
    settings = Settings()
    engines = Engines.from_settings(settings)

    def score() -> object:
        return language.score_turns(told, settings.language, engines)

    def read() -> object:
        return language.read(*call, settings.language, engines)

    loading_s, _ = timed(lambda: language.score_turns(told[:2], settings.language, engines), 1)
    lines.append(f"{len(told)} turns, {len(call[1].words)} words; loading {loading_s:.1f} s")
    for name, work in (("score_turns", score), ("read", read)):
        wall_s, cpu_s = timed(work, chosen.rounds)
        verdict = f"{'under' if wall_s < TARGET_S else 'NOT under'} {TARGET_S:g} s"
        lines.append(f"{name}: {wall_s:.2f} s, CPU time {cpu_s:.2f} s ({verdict})")
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines.append(f"memory at most {peak_kb / 1024:.0f} MB")
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
