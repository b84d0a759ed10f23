"""`python -m validation.simulations.agents` says what agents' means are worth in the demo's calls.

Ten agents each take the ten calls of the demo, with habits of their own: how often they answer a
feeling, how long they wait, how fast and loud they speak. A perfect listener hears them, so that
what is left between calls of one agent is the calls', and the measures'. The table goes into
docs/metrics.md (`make docs`); how much real agents differ, only your own calls say.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from warmline import language
from warmline.empathy import measure as measure_empathy
from warmline.files import folder
from warmline.floor import measure as measure_floor
from warmline.models.engines import Engines
from warmline.prosody import measure as measure_prosody
from warmline.research.reliability import WANTED, reliability
from warmline.settings import Settings
from warmline.simulate import (
    Line,
    Scene,
    SimulatedCall,
    read_script,
    render,
    true_speech,
    true_transcript,
)
from warmline.turns import converse
from warmline.values import ChannelLayout, RoleName

TARGET = Path(__file__).with_name("agents.json")
MONDAY = pd.Timestamp("2026-01-05")
_AGENTS, _SEED = 10, 1
_PLAIN = ("All right.", "One moment, please.", "Let me look at that.", "I see.")
_LAYOUT = ChannelLayout("stereo", 2, 0.0, "known from the script", (0, 1))


@dataclass(frozen=True)
class Habit:
    """What an agent does alike in all calls.

    `answers` (0..1) is the chance that a feeling is answered as the script has it, and not passed
    over; `waits_s` is what the agent adds to each pause; `rate` and `gain_db` are of the voice.
    """

    answers: float
    waits_s: float
    rate: float
    gain_db: float


def habits(count: int, seed: int) -> list[Habit]:
    """Return so many agents' habits, drawn once."""
    random = np.random.default_rng(seed)
    return [
        Habit(
            float(random.beta(4, 2)),
            float(random.exponential(0.4)),
            float(np.clip(random.normal(1.0, 0.08), 0.8, 1.2)),
            float(random.normal(0, 1.5)),
        )
        for _ in range(count)
    ]


def take(scene: Scene, agent: str, habit: Habit, random: np.random.Generator) -> Scene:
    """Return a scene as an agent of this habit would take it, on two channels."""
    staff = {name for name, speaker in scene.speakers.items() if speaker.role == "agent"}
    lines = []
    for line, following in zip(scene.lines, [*scene.lines[1:], None], strict=True):
        entered = following is not None and following.at_word is not None
        lines.append(_said(line, habit, random, entered) if line.speaker in staff else line)
    own = {"gain_db": habit.gain_db, "channel": 1}
    voices = {
        name: voice.model_copy(
            update={**own, "rate": voice.rate * habit.rate} if name in staff else {"channel": 0}
        )
        for name, voice in scene.speakers.items()
    }
    call = scene.call.model_copy(
        update={"call_id": f"{scene.call.call_id}.{agent}", "agent_id": agent}
    )
    sound = scene.sound.model_copy(update={"layout": "stereo", "level_db": -28.0})
    return scene.model_copy(
        update={"call": call, "sound": sound, "speakers": voices, "lines": tuple(lines)}
    )


def _said(line: Line, habit: Habit, random: np.random.Generator, entered: bool) -> Line:
    """Return an agent's line; an answer may be passed over, unless somebody speaks into it."""
    changes: dict[str, Any] = {}
    if line.answers and not entered and random.random() > habit.answers:
        changes = {"text": str(random.choice(_PLAIN)), "answers": None, "marks": ()}
    if line.at_word is None and (line.pause_s is None or line.pause_s >= 0):
        changes["pause_s"] = (0.4 if line.pause_s is None else line.pause_s) + habit.waits_s
    return line.model_copy(update=changes)


def measured(call: SimulatedCall, settings: Settings, engines: Engines | None) -> dict[str, float]:
    """Return every measure of the call, or of its agent, that has a value."""
    speech, transcript = true_speech(call.truth), true_transcript(call.truth)
    talk = converse(speech, transcript, _LAYOUT, call.metadata, settings.turns)
    floor = measure_floor(speech, transcript, talk, call.truth.duration_s, settings.floor)
    sound = measure_prosody(call.sound(), _LAYOUT, speech, transcript, talk, settings.prosody)
    read = language.read_call(talk, transcript, settings.language, engines)
    told = measure_empathy(talk, read.moments, floor, settings.empathy, feelings=read.feelings)
    agents = {role.party for role in talk.roles if role.name is RoleName.AGENT}
    return {
        m.name: m.value
        for m in (*floor.metrics, *sound.metrics, *told.metrics)
        if m.value is not None and (m.party is None or m.party in agents)
    }


def calls(scripts: Sequence[Path], agents: Sequence[Habit], settings: Settings) -> Iterator[Any]:
    """Yield a row for each agent and script: who, when, and the measures."""
    engines = Engines.from_settings(settings)
    random = np.random.default_rng(_SEED)
    for number, habit in enumerate(agents):
        for place, script in enumerate(scripts):
            name = f"agent-{number:02}"
            sys.stderr.write(f"{name}: {script.stem}\n")
            call = render(take(read_script(script), name, habit, random))
            row: dict[str, Any] = {"agent_id": name, "contact_reason": script.stem}
            row["started_at"] = MONDAY + pd.Timedelta(hours=place)
            yield row | measured(call, settings, engines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Play, measure, and write what each measure's agent means are worth."""
    parser = ArgumentParser(prog="python -m validation.simulations.agents", description=__doc__)
    parser.add_argument("--to", type=Path, default=TARGET)
    parser.add_argument("--agents", type=int, default=_AGENTS)
    chosen = parser.parse_args(arguments)
    scripts = sorted((folder("audio") / "samples").glob("*.toml"))
    frame = pd.DataFrame(calls(scripts, habits(chosen.agents, _SEED), Settings()))
    chosen.to.write_text(json.dumps(worth(frame), indent=1) + "\n", encoding="utf-8")


def worth(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what agents' means are worth in each measure, a dictionary a measure.

    `same` is the reliability over the ten calls that all took; `other` that over ten calls of other
    matters each, and `needed` how many calls of each agent these take for 0.7 and for 0.8.
    """
    found = []
    for measure in sorted(set(frame.columns) - {"agent_id", "contact_reason", "started_at"}):
        told = reliability(frame, measure)
        if told.components is None or told.calls_per_agent is None:
            continue
        parts, calls = told.components, told.calls_per_agent
        noise = parts.reason + parts.call
        other = parts.agent / (parts.agent + noise / calls) if parts.agent > 0 else 0.0
        needed = [ceil(w / (1 - w) * noise / parts.agent) if other else None for w in WANTED]
        found.append(
            {
                "measure": measure,
                "calls": told.calls,
                "same": round(told.g or 0.0, 3),
                "other": round(other, 3),
                "needed": needed,
            }
        )
    return found


if __name__ == "__main__":
    main()
