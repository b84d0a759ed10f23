"""The encryption key: where it is found, and nothing that reveals it.

A key is 32 random bytes, in an environment variable or in a file that only its owner may read;
settings name the variable or the file, never the key. That name is passed on in the environment, so
that child processes look in the same place; the key itself is read where it is needed, and is in no
argument, log, error or flow parameter.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from warmline.errors import EncryptionError

VARIABLE = "WARMLINE_KEY"
KEY_BYTES = 32
HOW_TO_GIVE = (
    f"give its key: the variable {VARIABLE}, or encryption.key_file or key_env of the settings"
)

_NAMED_VARIABLE, _NAMED_FILE = "WARMLINE_KEY_ENV", "WARMLINE_KEY_FILE"


@dataclass(frozen=True)
class Key:
    """A key, and where it was found, in words. It cannot be pickled, so no task can carry it."""

    secret: bytes = field(repr=False)
    origin: str = field(compare=False)

    @property
    def text(self) -> str:
        """Return the key as DuckDB takes it; for a bound parameter, never for the text of a
        statement.
        """
        return base64.b64encode(self.secret).decode()

    @property
    def fingerprint(self) -> str:
        """Return a fingerprint that tells keys apart and reveals nothing about them."""
        import hmac

        return hmac.digest(self.secret, b"warmline: which key", "sha256").hex()[:32]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is read where it is needed, not handed on")


def look_for_key(variable: str, file: str) -> None:
    """Set where this process and its children look for the key; empty names are ignored.

    Raises EncryptionError when both are named.
    """
    if variable and file:
        raise EncryptionError("encryption.key_env and encryption.key_file: name one of them")
    if variable:
        os.environ[_NAMED_VARIABLE] = variable
    if file:
        os.environ[_NAMED_FILE] = str(Path(file).expanduser().resolve())


def current_key() -> Key | None:
    """Return the key that is set; None when there is none, and files are not encrypted.

    The variable that the settings name counts first, then WARMLINE_KEY, then the file that the
    settings or WARMLINE_KEY_FILE name. Raises EncryptionError when the named place holds no key.
    """
    named = os.environ.get(_NAMED_VARIABLE)
    if named and not os.environ.get(named):
        raise EncryptionError(f"the variable {named}, which is to hold the key, is not set")
    variable = named or VARIABLE
    if text := os.environ.get(variable):
        return _parsed(text, f"the variable {variable}")
    if file := os.environ.get(_NAMED_FILE):
        return read_key_file(Path(file))
    return None


def key_in(variable: str, file: str, section: str) -> Key | None:
    """Return the key in a variable or a file; None when neither is named.

    `section` is the prefix of the settings that name them. Raises EncryptionError when both are
    named, or the named place holds no key.
    """
    if variable and file:
        raise EncryptionError(f"{section}key_env and {section}key_file: name one of them")
    if variable:
        if not os.environ.get(variable):
            raise EncryptionError(f"the variable {variable} ({section}key_env) is not set")
        return _parsed(os.environ[variable], f"the variable {variable}")
    return read_key_file(Path(file).expanduser()) if file else None


def without_key(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a process that has no business with a key.

    It has no variable that holds one, whatever it is called: the settings may name another for the
    key of pseudonyms, too.
    """
    held = {VARIABLE, environment.get(_NAMED_VARIABLE)}
    return {
        name: value
        for name, value in environment.items()
        if name not in held and not _holds_key(value)
    }


def key_environment(environment: Mapping[str, str], *others: str) -> dict[str, str]:
    """Return only those variables of an environment that say where the key is, and these others."""
    wanted = {VARIABLE, _NAMED_VARIABLE, _NAMED_FILE, environment.get(_NAMED_VARIABLE), *others}
    return {name: value for name, value in environment.items() if name in wanted}


def read_key_file(path: Path) -> Key:
    """Read the key in a file.

    Raises EncryptionError when it cannot be read, holds no key, or may be read by others.
    """
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(1024)
    except OSError as e:
        raise EncryptionError(f"key file {path}: cannot be read ({e.strerror})") from e
    if mode & 0o077:
        raise EncryptionError(
            f"key file {path}: others than its owner may read it (mode {mode & 0o777:04o}); "
            f"chmod 600 {path}, and think of a new key"
        )
    return _parsed(text, f"key file {path}")


def new_key_file(path: Path) -> None:
    """Write a new key to a file that only its owner may read.

    Raises EncryptionError when the file exists already, or cannot be written.
    """
    import secrets

    text = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as e:
        raise EncryptionError(f"{path}: there already; a key is never written over") from e
    except OSError as e:
        raise EncryptionError(f"{path}: cannot write a key ({e.strerror})") from e


def _parsed(text: str, origin: str) -> Key:
    secret = _decoded(text.strip())
    if secret is None or len(secret) != KEY_BYTES:
        raise EncryptionError(
            f"{origin}: not a key of {KEY_BYTES} bytes in base64; `warmline key new FILE` makes one"
        )
    return Key(secret, origin)


def _holds_key(text: str) -> bool:
    secret = _decoded(text.strip())
    return secret is not None and len(secret) == KEY_BYTES


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
