"""What is said of a model: its files, the published releases they are, and where those lie."""

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How a release has to be treated to become the file that is used."""

    AS_IS = "as_is"
    CTRANSLATE2 = "ctranslate2"


@dataclass(frozen=True)
class WheelMember:
    """A file inside a wheel on the package index; `wheel_bytes` is the size of the download."""

    requirement: str
    member: str
    wheel_bytes: int


@dataclass(frozen=True)
class Release:
    """One published file, by its digest. `size_bytes` is None where the publisher states none.

    `members`, joined in order, are the same bytes in wheels; empty when no wheel is known.
    `condition` is what the publisher asks for before giving the file.
    """

    file_name: str
    sha256: str
    size_bytes: int | None
    url: str | None
    members: tuple[WheelMember, ...] = ()
    form: Form = Form.AS_IS
    condition: str | None = None


@dataclass(frozen=True)
class ModelFile:
    """A file in the store and the releases it can be made from, the preferred one first."""

    name: str
    releases: tuple[Release, ...]


@dataclass(frozen=True)
class Model:
    """A model of the catalogue. `is_default` ones are what `warmline models pull` fetches."""

    name: str
    purpose: str
    licence: str
    files: tuple[ModelFile, ...]
    is_default: bool = False
