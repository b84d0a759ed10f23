"""What every part of the validation is given: where the data are, the seed, how long to take."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from warmline.settings import Settings


@dataclass(frozen=True)
class Context:
    """One run of the validation.

    `data` holds the labelled data, `work` keeps recordings that were played and analyses that were
    made, so that a second run does not listen again. `rounds` are draws of each bootstrap. `say`
    is told what is being done.
    """

    data: Path
    work: Path
    settings: Settings
    seed: int
    rounds: int
    say: Callable[[str], None]
