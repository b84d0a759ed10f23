"""Validates warmline's measures against labels that nobody here wrote, and writes `REPORT.md`.

`warmline validate` runs it. It lies outside the package, because it needs the labelled data and
the packages of the extras `listen` and `validate`, and is for those who have the checkout.
"""

from collections.abc import Callable
from pathlib import Path

from warmline import __version__
from warmline.errors import DataError, ModelError, SynthesisError

from .calls import validate_calls
from .context import Context
from .counselling import validate_counselling
from .drift import validate_drift
from .feelings import validate_feelings
from .floor import validate_floor
from .mechanisms import validate_mechanisms
from .mono import validate_mono
from .people import validate_people
from .redaction import validate_redaction
from .report import Headline, Section, write
from .service import validate_service
from .steadiness import validate_steadiness
from .support_talk import validate_support_talk

__all__ = ["PARTS", "Context", "Headline", "Section", "validate"]

# What does not listen comes first.
PARTS: dict[str, Callable[[Context], Section]] = {
    "service": validate_service,
    "feelings": validate_feelings,
    "mechanisms": validate_mechanisms,
    "support_talk": validate_support_talk,
    "calls": validate_calls,
    "redaction": validate_redaction,
    "counselling": validate_counselling,
    "floor": validate_floor,
    "steadiness": validate_steadiness,
    "mono": validate_mono,
    "people": validate_people,
    "drift": validate_drift,
}


def validate(context: Context, parts: tuple[str, ...], to: Path) -> tuple[Path, list[Headline]]:
    """Run these parts, write the report into a folder; returns it with its headlines.

    A part whose data, models or speech synthesizer are missing says so in the report, and no more;
    when that is so of every part, its error is raised.
    """
    sections: dict[str, Section] = {}
    missing: list[Exception] = []
    for name in parts:
        try:
            sections[name] = PARTS[name](context)
        except (DataError, ModelError, SynthesisError) as e:
            context.say(f"{name} is left out: {e}")
            missing.append(e)
            sections[name] = Section(name.capitalize(), (f"Not run: {_without_places(e)}",))
    if len(missing) == len(parts):
        raise missing[0]
    made_by = f"warmline {__version__}, seed {context.seed}, {context.rounds} bootstrap draws"
    path = write(sections, list(PARTS), _PREFACE, made_by, to)
    return path, [headline for section in sections.values() for headline in section.headlines]


def _without_places(error: Exception) -> str:
    """The reason without the folder of this machine."""
    words = str(error).split()
    return " ".join(Path(w.rstrip(":;,")).name if w.startswith("/") else w for w in words)


_PREFACE = """\
<!-- Written by `warmline validate`; every number is computed, none is typed. -->

Intervals are of 95 %; rows of one person, session or call are drawn together; shares have Wilson's
interval. `make validate` computes everything anew; `warmline validate PART` one part.

## What is not validated

- **There is no public English call-centre audio with labels of empathy.** Whether the ledger finds
  what a trained listener of *your* calls finds is not known until you label some of them:
  [docs/annotation.md](../docs/annotation.md).
- Labels of feelings here are of written text (support chats, translated ones among them; Reddit),
  labels of empathy of Reddit and counselling. The voice beside a cue is not validated.
  Recognised, disfluent speech is read by the same models; drift below says how much that changes on
  acted calls, which hold few feelings.
- Prosody is validated against what was planted in synthetic voices, and pitch against a reference
  tracker in the tests; not against anybody's judgement of how steady a voice is.
- Rules of action, friction and offers (commitments, transfers, re-asked items, misplaced offers,
  resolution, silent dissatisfaction, warm–competent–warm, politeness) have examples as tests
  and events planted in simulated calls; no labels by others.
- No measure has been shown here to bring customers back. Accents, other languages, other
  recorders: not measured."""
