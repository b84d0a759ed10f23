"""Generated scenes: calls in which interruptions, backchannels and terminal overlaps are planted.

Texts are few and fixed (`scenes.toml`); what is drawn is who says what, in which voice, and what is
planted at which word. `simulate` refuses an event that would not be what it is called; such a one
is moved to another word, and left out when no word will do.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from warmline.errors import SceneLineError
from warmline.simulate import Call, Line, LineSound, Scene, SimulatedCall, SimulatedSpeaker, render

_LINES = 9
_TRIES = 60
_MOVES = 4
# Voices that a listener, and a diarizer, can tell apart; awb and slt take a pitch of one's own.
_CASTS = (("awb", "slt"), ("slt", "rms"), ("rms", "slt"), ("slt", "awb"), ("rms", "awb"))


@dataclass(frozen=True)
class _Plan:
    """A line that is to be, and how often its event has been moved."""

    line: Line
    moves: int = 0


def planted_calls(count: int, seed: int) -> Iterator[SimulatedCall]:
    """This many calls with events planted in them; the same seed, the same calls.

    Raises `SynthesisError` on a machine without flite.
    """
    for number in range(count):
        yield _played(number, Random(f"{seed} {number}"))


def sentences(who: str, rng: Random) -> list[str]:
    """What the customer or the agent can say, in an order of chance."""
    said = list(_words()[who])
    rng.shuffle(said)
    return said


def _played(number: int, rng: Random) -> SimulatedCall:
    plans, call_id = _plans(rng), f"planted-{number:02}"
    cast = rng.choice(_CASTS)
    speakers = {
        "customer": SimulatedSpeaker(role="customer", channel=0, voice=cast[0]),
        "agent": SimulatedSpeaker(role="agent", channel=1, voice=cast[1]),
    }
    sound = LineSound(
        snr_db=rng.uniform(28, 45),
        pause_s=rng.uniform(0.3, 0.7),
        crosstalk_db=rng.choice([None, -45.0]),
        seed=number,
        format="wav",
    )
    for _ in range(_TRIES):
        try:
            return render(
                Scene(
                    call=Call(call_id=call_id, title="planted"),
                    sound=sound,
                    speakers=speakers,
                    lines=tuple(plan.line for plan in plans),
                )
            )
        except SceneLineError as e:
            plans = _changed(plans, e.index, rng)
    raise RuntimeError(f"{call_id}: no scene can be played after {_TRIES} changes")


def _plans(rng: Random) -> list[_Plan]:
    """Long lines of the two in turn, with an event in or after some of them."""
    words = _words()
    said = {who: rng.sample(words[who], _LINES // 2 + 1) for who in ("customer", "agent")}
    plans: list[_Plan] = []
    enters_s: float | None = None
    for index in range(_LINES):
        holder, other = ("agent", "customer") if index % 2 == 0 else ("customer", "agent")
        plans.append(_Plan(_line(holder, said[holder].pop(), pause_s=enters_s)))
        enters_s = None
        event = rng.choice(("none", "backchannel", "backchannel", "won", "lost", "terminal"))
        if event == "backchannel":
            text, at_word = rng.choice(words["backchannels"]), rng.randint(4, 12)
            plans.append(_Plan(_line(other, text, backchannel=True, at_word=at_word)))
        elif event in ("won", "lost"):
            text = rng.choice(words["interruptions"])
            how: dict[str, Any] = {"interrupts": "competitive"}
            if event == "won":
                how["holder_stops_s"] = rng.uniform(0.4, 0.8)
            at_word = rng.randint(5, 9)
            plans.append(_Plan(_line(other, text, at_word=at_word, **how)))
            # Who was interrupted speaks next, so that the floor goes on changing hands.
            plans.append(_Plan(_line(holder, f"well, {rng.choice(words['interruptions'])}")))
        elif event == "terminal" and index + 1 < _LINES:
            enters_s = -rng.uniform(0.1, 0.25)
    return plans


def _line(speaker: str, text: str, **more: Any) -> Line:
    known = {key: value for key, value in more.items() if value is not None}
    return Line.model_validate({"speaker": speaker, "text": text, **known})


def _changed(plans: list[_Plan], index: int, rng: Random) -> list[_Plan]:
    """The event that cannot be moved to another word; given up after some tries."""
    plan = plans[index]
    if plan.line.at_word is None:  # a terminal overlap, or a line that meets one's own
        calm = plan.line.model_copy(update={"pause_s": None})
        before = plans[index - 1]
        if plan.line.pause_s is not None or before.line.at_word is None:
            return [*plans[:index], replace(plan, line=calm), *plans[index + 1 :]]
        return [*plans[: index - 1], *plans[index:]]
    if plan.moves >= _MOVES:
        return [*plans[:index], *plans[index + 1 :]]
    moved = plan.line.model_copy(update={"at_word": rng.randint(3, 13)})
    return [*plans[:index], _Plan(moved, plan.moves + 1), *plans[index + 1 :]]


@cache
def _words() -> dict[str, list[str]]:
    text = (Path(__file__).parent / "scenes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
