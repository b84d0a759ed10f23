"""What is expensive to make is made once for all processes of a run; tests read it, or a copy."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock


@dataclass(frozen=True)
class Once:
    """A folder that all processes of one run of the tests share."""

    folder: Path

    def made(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the folder that `make` fills, for whichever process asks first; to be read only.

        It is made under another name, so that no path noted in it leads back to it: what a copy
        does not have is missing, and never found in the original.
        """
        place, building = self.folder / name, self.folder / f"{name}.building"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{name}.lock"):
            if not place.exists():
                shutil.rmtree(building, ignore_errors=True)  # of somebody who failed
                building.mkdir()
                make(building)
                building.rename(place)
        return place

    def copied(self, name: str, make: Callable[[Path], object], to: Path) -> Path:
        """Return `to` with a copy of what `make` fills in it, to be changed."""
        shutil.copytree(self.made(name, make), to, dirs_exist_ok=True)
        return to
