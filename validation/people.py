"""How many people speak on one channel, and who they are: real voices, put together anew."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

import numpy as np

from warmline.models.engines import Engines
from warmline.recordings.sound import SAMPLE_RATE_HZ
from warmline.speech import listen
from warmline.statistics import wilson
from warmline.values import ChannelLayout, Span, Speech, intersect, total_s

from .context import Context
from .listening import Listener
from .parties import matched, speech_by_party
from .report import Headline, Section, Table
from .scenes_of_voices import SCENES, Played, played
from .scores import said
from .voices import BANK_CALLS, Clip, Tape, Voice, as_sound, mixed, real_voices

_MIXES = 20
_DRAWS_ALONE = 2
_MONO = ChannelLayout("mono", 1, None, "one channel")
_PRINT_S = 12
_FEW_CLIPS, _BRIEF_S = 4, 1.2
_ALONE, _ALIKE, _LITTLE = "one", "two, most alike", "two, one says little"
_HALVES = {True: "tuned on", False: "others"}
_LOOKS = (
    "**Looks at the others: four**, all at recordings that were put together by other seeds than "
    "these. The first, of a rule that also took two like voices for two where both speak much: it "
    "heard four people in a sales call of two, and was left out. The second and third, of what "
    "stands above and of a variant for parts of one segment, differed in one meeting. The fourth "
    "was at the scenes: a message was cut in two, and its last words were called an agent's, "
    "because the rest was a customer's; since then a role that only follows from what others said "
    "needs voices that were surely told apart. Before all of this, 11 of 22 recordings of one "
    "person were right, 20 of 20 each of two, of two alike, of two of whom one says little, and "
    "of three people, and 18 of 20 of four."
)


@dataclass(frozen=True)
class Counted:
    """One recording: how many people speak, how many were found, and whose speech was given whom.

    `well_given` is the share of what people say that was given to the party that is theirs.
    """

    kind: str
    is_tuned_on: bool
    people: int
    found: int
    well_given: float


def validate_people(context: Context) -> Section:
    """The number of people on one channel, and scenes of a call with more or fewer than two."""
    listener = Listener(context)
    voices = real_voices(context, listener.engines)
    counted = []
    for is_tuned_on in _HALVES:
        half = [voice for voice in voices if voice.is_tuned_on is is_tuned_on]
        for kind, people, tape in _tapes(half, listener.engines, context.seed):
            context.say(f"people: {kind}, {_HALVES[is_tuned_on]}")
            speech = listen(as_sound(tape), _MONO, context.settings.speech, listener.engines)
            share = _well_given(speech, tape.spoken)
            counted.append(Counted(kind, is_tuned_on, people, len(speech.parties), share))
    scenes = [
        (is_tuned_on, played(kind, pair, voices, listener, context))
        for kind in SCENES
        for is_tuned_on in _HALVES
        for pair in _pairs_of_calls(voices, is_tuned_on)
    ]
    return Section(
        "People on one channel",
        (
            _intro(voices),
            _count_table(counted),
            _LOOKS,
            "Scenes: calls of one channel with more or fewer than two people, put together from "
            "the acted bank calls and sent through the whole of `warmline analyze`, with nothing "
            "told of who is who. A recorded voice (greeting, menu) is synthetic, and so is the "
            "customer of the scenes with feelings, because hardly anybody in the bank calls shows "
            "one. *Unknown* is no error; a role is wrong where it is another than the person's, or "
            "is given to a party that is nobody. A feeling is charged rightly where the ledger "
            "names the agent who was on the line.",
            _scene_table(scenes),
        ),
        tuple(_headlines(counted)),
    )


def _tapes(voices: Sequence[Voice], engines: Engines, seed: int) -> Iterator[tuple[str, int, Tape]]:
    """Recordings of these voices: their kind, how many people they have, and the sound."""
    half = _HALVES[voices[0].is_tuned_on]
    for draw in range(_DRAWS_ALONE):
        for voice in voices:
            rng = Random(f"{seed} {half} alone {voice.name} {draw}")
            yield _ALONE, 1, mixed([voice], rng, rng.uniform(12, 45))
    for count, kind in ((2, "two"), (3, "three"), (4, "four")):
        for number in range(_MIXES):
            rng = Random(f"{seed} {half} {kind} {number}")
            yield kind, count, mixed(rng.sample(voices, count), rng, rng.uniform(7, 14))
    for number, pair in enumerate(_most_alike(voices, engines)):
        rng = Random(f"{seed} {half} alike {number}")
        yield _ALIKE, 2, mixed(pair, rng, rng.uniform(7, 14))
    for number in range(_MIXES):
        rng = Random(f"{seed} {half} little {number}")
        first, second = rng.sample(voices, 2)
        yield _LITTLE, 2, mixed([first, _brief(second)], rng, rng.uniform(7, 14))


def _most_alike(voices: Sequence[Voice], engines: Engines) -> list[tuple[Voice, Voice]]:
    prints = engines.embeddings(
        [
            np.concatenate([clip.samples for clip in voice.clips])[: _PRINT_S * SAMPLE_RATE_HZ]
            for voice in voices
        ]
    )
    pairs = sorted(
        combinations(range(len(voices)), 2),
        key=lambda pair: -float(prints[pair[0]] @ prints[pair[1]]),
    )
    return [(voices[i], voices[j]) for i, j in pairs[:_MIXES]]


def _brief(voice: Voice) -> Voice:
    """The same person, who says only a few short things."""
    shortest = sorted(voice.clips, key=lambda clip: clip.samples.size)[:_FEW_CLIPS]
    size = round(_BRIEF_S * SAMPLE_RATE_HZ)
    clips = tuple(Clip(clip.samples[:size], clip.start_s) for clip in shortest)
    return Voice(voice.name, voice.call, clips, voice.is_tuned_on)


def _well_given(speech: Speech, spoken: Mapping[str, Sequence[Span]]) -> float:
    heard = speech_by_party(speech)
    names = matched(heard, spoken)
    given = sum(total_s(intersect(heard[party], spoken[who])) for party, who in names.items())
    found = sum(
        total_s(intersect([span for spans in heard.values() for span in spans], spans))
        for spans in spoken.values()
    )
    return given / found if found else 0.0


def _pairs_of_calls(voices: Sequence[Voice], is_tuned_on: bool) -> list[tuple[str, str]]:
    """Each bank call with another one of the same half."""
    calls = sorted({v.call for v in voices if v.is_tuned_on is is_tuned_on} & BANK_CALLS)
    return list(zip(calls, [*calls[1:], calls[0]], strict=True))


def _intro(voices: Sequence[Voice]) -> str:
    tuned = sum(voice.is_tuned_on for voice in voices)
    return (
        f"{len(voices)} people (six acted bank calls, a call to a garage, meetings, a telephone "
        "conversation), of whom what they say alone was put together anew: turns in an order of "
        "chance, one after the other, with short pauses, at levels that differ by up to 6 dB. "
        f"What decides the number of people was set on recordings of {tuned} of them; *others* are "
        "recordings of the rest. *Most alike* are the pairs with the most similar voices; who "
        f"*says little* says at most {_FEW_CLIPS} things of {_BRIEF_S:g} s. *Well given* is the "
        "share of the speech found that was given to the person's own party. Recordings share "
        "people, so that the intervals are too narrow."
    )


def _count_table(counted: Sequence[Counted]) -> Table:
    rows = []
    for kind, half in dict.fromkeys((c.kind, c.is_tuned_on) for c in counted):
        own = [c for c in counted if (c.kind, c.is_tuned_on) == (kind, half)]
        found = Counter(c.found for c in own)
        rows.append(
            (
                *(kind, _HALVES[half], str(len(own))),
                *(str(found[n]) for n in range(1, 5)),
                said(wilson(sum(c.found == c.people for c in own), len(own))),
                f"{np.mean([c.well_given for c in own]):.3f}",
            )
        )
    headings = (
        *("people", "voices", "recordings", "1 found", "2", "3", "4"),
        *("right", "well given"),
    )
    return Table(headings, tuple(rows))


def _scene_table(scenes: Sequence[tuple[bool, Played]]) -> Table:
    rows = []
    for kind, half in dict.fromkeys((scene.kind, half) for half, scene in scenes):
        own = [scene for tuned, scene in scenes if (scene.kind, tuned) == (kind, half)]
        roles = Counter(role for scene in own for role in scene.roles)
        cues = Counter(cue for scene in own for cue in scene.cues)
        rows.append(
            (
                *(kind, _HALVES[half], str(own[0].people)),
                " ".join(str(scene.found) for scene in own),
                *(str(roles[name]) for name in ("right", "unknown", "wrong", "not told apart")),
                *(str(cues[name]) if cues else "" for name in ("right", "none", "wrong")),
            )
        )
    headings = (
        *("scene", "voices", "people", "parties found", "roles right", "unknown", "wrong"),
        *("not told apart", "feelings charged rightly", "to nobody", "wrongly"),
    )
    return Table(headings, tuple(rows))


def _headlines(counted: Sequence[Counted]) -> list[Headline]:
    found = []
    for kind in dict.fromkeys(c.kind for c in counted):
        own = [c for c in counted if c.kind == kind and not c.is_tuned_on]
        right = wilson(sum(c.found == c.people for c in own), len(own))
        if right is not None:
            found.append(Headline(f"number of people: {kind}", "real voices, one channel", right))
    return found
