"""Whether a landing folder is encrypted, and with which key: its file `encryption.json`.

The file holds fingerprints, from which no key can be found again. A folder without it is in clear.
While a folder is being changed from one state to another, the file says so, and nothing else may
read or write the folder until that is finished.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from warmline.encryption import HOW_TO_GIVE, Key, current_key
from warmline.errors import EncryptionError
from warmline.landing import places
from warmline.landing.places import LandingError

FILE = "encryption.json"
LISTINGS, DIGESTS = "listings", "digests"
FOLDERS = (*places.LOOSE, places.CLAIMED, places.PACKS, "outcomes", "reviews", LISTINGS, DIGESTS)


@dataclass(frozen=True)
class Seal:
    """The fingerprint of the key of a folder, None for one in clear.

    `before` is what it was before; it counts as long as the change is not `finished`.
    """

    key: str | None = None
    before: str | None = None
    finished: bool = True


_ADAPTER = TypeAdapter(Seal)


def read_seal(landing_dir: Path) -> Seal | None:
    """What the folder says of itself; None when it says nothing. Raises LandingError."""
    path = landing_dir / FILE
    try:
        return _ADAPTER.validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as e:
        raise LandingError(f"{path}: cannot be read ({str(e).splitlines()[0]})") from e


def write_seal(landing_dir: Path, seal: Seal) -> None:
    """Note the state of the folder, durably; one that is in clear for good has no note."""
    path = landing_dir / FILE
    if seal == Seal():
        path.unlink(missing_ok=True)
        return
    text = json.dumps(asdict(seal), indent=1)
    places.write_whole(path, lambda file: _write(file, text))


def key_of(landing_dir: Path, *, writes: bool = False) -> Key | None:
    """The key with which this folder is read and written; None for one in clear.

    A folder that is empty becomes an encrypted one when it is first written to with a key given.
    Raises EncryptionError when the key that is given, or none, is not that of the folder.
    """
    key = current_key()
    seal = read_seal(landing_dir)
    if seal is None and key is not None:
        if holds_something(landing_dir):
            seal = (
                read_seal(landing_dir) or Seal()
            )  # another process may just have begun the folder
        else:
            seal = Seal(key.fingerprint)
            if writes:
                write_seal(landing_dir, seal)
    require_fitting(landing_dir, seal or Seal(), key)
    return key


def require_fitting(landing_dir: Path, seal: Seal, key: Key | None) -> None:
    """Raise EncryptionError, saying what to do, unless this is the key of the folder."""
    if not seal.finished:
        raise EncryptionError(
            f"{landing_dir}: its encryption was begun and not finished; run `warmline encrypt` "
            "again as it was run, with the same keys"
        )
    if seal.key is None and key is not None:
        raise EncryptionError(
            f"{landing_dir}: not encrypted, although there is a key ({key.origin}); "
            "`warmline encrypt` encrypts what is there"
        )
    if seal.key is not None and key is None:
        raise EncryptionError(f"{landing_dir}: encrypted; {HOW_TO_GIVE}")
    if key is not None and key.fingerprint != seal.key:
        raise EncryptionError(
            f"{landing_dir}: encrypted with another key than that of {key.origin}"
        )


def holds_something(landing_dir: Path) -> bool:
    """Whether anything has landed in the folder."""
    for folder in FOLDERS:
        with suppress(StopIteration):
            next(places.walk(landing_dir / folder, folder, ""))
            return True
    return False


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
