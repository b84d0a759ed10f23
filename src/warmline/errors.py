"""Errors a user can act on: each says what is wrong, where, and what to do."""

import errno
from enum import StrEnum

_LONGEST = 2000  # characters of a line for a person
_LONGEST_NAME = 100  # and of a name in one
# What torch says when a machine or a device is out of memory: plain RuntimeErrors.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class Status(StrEnum):
    """How a recording ended, as stored in `calls.status`."""

    ANALYZED = "analyzed"
    NO_SPEECH = "no_speech"
    REFUSED = "refused"
    FAILED = "failed"
    DUPLICATE = "duplicate"


def one_line(text: str) -> str:
    r"""Return the text on one line, with every invisible character escaped: `\n`, `\x1b`, `\u202e`.

    Names of files and cells of tables come from strangers: printed as they are, they could break a
    line, move the cursor, or reverse the direction of the text. Text longer than 2000 characters is
    cut.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; its kind, if it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def shortened(name: str) -> str:
    """Return a name that fits into a line for a person: the beginning of one without end."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}... ({len(name)} characters)"


def fault_code(error: BaseException) -> str:
    """Return a stable code for an unforeseen fault, by its kind."""
    if _is_lack_of_memory(error):
        return "out_of_memory"
    return "io_error" if isinstance(error, OSError) else "fault"


def _is_lack_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY)


class WarmlineError(Exception):
    """Base of all errors that warmline raises on purpose; the message is one line for a user."""


class SettingsError(WarmlineError):
    """A settings file has an unknown key, or a value that is not allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class MetadataError(WarmlineError):
    """A table given by the user (metadata, outcomes) cannot be used.

    The message names the line and the column.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class DataError(WarmlineError):
    """Labelled data are missing or unusable; the message names the file, line and column."""


class ModelError(WarmlineError):
    """A model is unknown or missing, or its file is not the published one."""


class SourceError(ModelError):
    """One source of a model cannot supply the published file; the next source is tried."""


class WarehouseError(WarmlineError):
    """The warehouse could not be built, published or read."""


class EncryptionError(WarmlineError):
    """A key is missing, malformed, or does not match the files; the message never shows a key."""


class QueryError(WarmlineError):
    """A query is malformed, unknown, or not allowed."""


class ScheduleError(WarmlineError):
    """The server that starts the nightly runs could not be started."""


class SynthesisError(WarmlineError):
    """The speech engine is not installed, or cannot synthesise a text."""


class ScriptError(WarmlineError):
    """A scene script is malformed, or asks for something that cannot be rendered."""


class SceneLineError(ScriptError):
    """One line of a scene cannot be rendered: number `index`, from 0, because of the value of its
    `key`.
    """

    def __init__(self, index: int, key: str, message: str) -> None:
        super().__init__(f"line {index + 1} of the scene, {key}: {message}")
        self.index = index
        self.key = key
        self.problem = message


class RecordingRefusedError(WarmlineError):
    """This recording cannot be analyzed, and trying again would not help.

    `code` is a stable snake_case word (`empty_file`, `not_audio`, `truncated`, ...) for counting;
    the message is the sentence for a person.
    """

    def __init__(self, code: str, message: str, status: Status = Status.REFUSED) -> None:
        super().__init__(one_line(message))
        self.code = code
        self.status = status
