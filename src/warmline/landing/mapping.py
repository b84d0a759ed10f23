"""Convert a frozen dataclass to one row of Arrow columns, and back, from its annotations alone.

`str`, `int`, `float`, `bool`, `datetime` (UTC), string enums, optionals, `tuple[X, ...]` (a list),
`dict[str, X]` (a map) and dataclasses of these (a struct) are supported; any other annotation is an
error when the schema is made, not when the first call lands.
"""

from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
from pydantic import TypeAdapter

T = TypeVar("T")
_SCALARS = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp("us", tz="UTC"),
}


def schema(cls: type) -> pa.Schema:
    """Return the Arrow schema of a dataclass, one nullable column per field.

    Raises TypeError naming the field whose annotation has no Arrow type.
    """
    return pa.schema(_arrow_fields(cls))


def to_row(value: Any) -> dict[str, Any]:
    """Return a dataclass as plain Python that fits its `schema`.

    Text that UTF-8 cannot hold (a file name in unknown bytes) is kept readable, see `storable`.
    Raises ValueError for a time without a time zone.
    """
    return {f.name: _plain(getattr(value, f.name), f.name) for f in fields(value)}


def from_row(cls: type[T], row: dict[str, Any]) -> T:
    """Return a dataclass from a row of Arrow columns, even one written when it had fewer fields.

    A missing field gets its default, or else None, an empty tuple or an empty dict as the
    annotation allows. Raises ValueError naming a field that can have none of these, and pydantic's
    ValidationError for a value of the wrong type.
    """
    kind: type = cls
    value: T = _adapter(kind).validate_python(_complete(kind, row))
    return value


def storable(text: str) -> str:
    r"""Return the text as stored: lone surrogates, which UTF-8 cannot hold, become `\udcXX`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _arrow_fields(cls: type) -> list[pa.Field]:
    hints = _hints(cls)
    return [pa.field(f.name, _arrow_type(hints[f.name], cls, f.name)) for f in fields(cls)]


def _arrow_type(annotation: Any, cls: type, name: str) -> pa.DataType:
    kind, _ = _unwrap(annotation)
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return pa.list_(_arrow_type(args[0], cls, name))
    if origin is dict and args[0] is str:
        return pa.map_(pa.string(), _arrow_type(args[1], cls, name))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return pa.string()
    if _is_struct(kind):
        return pa.struct(_arrow_fields(kind))
    raise TypeError(f"{cls.__name__}.{name}: no Arrow type for {annotation!r}")


def _is_struct(kind: Any) -> TypeGuard[type]:
    return isinstance(kind, type) and is_dataclass(kind)


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """Return the type inside an optional, and whether it was optional."""
    if get_origin(annotation) in (Union, UnionType):
        inner = [a for a in get_args(annotation) if a is not NoneType]
        if len(inner) == 1:
            return inner[0], True
    return annotation, False


def _plain(value: Any, name: str) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return storable(str(value))
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name}: {value} has no time zone; times that land are in UTC")
        return value.astimezone(UTC)
    if isinstance(value, tuple):
        return [_plain(item, name) for item in value]
    if isinstance(value, dict):
        return {storable(key): _plain(item, f"{name}.{key}") for key, item in value.items()}
    return to_row(value)


def _complete(cls: type, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with every field of the dataclass, nested ones too."""
    hints = _hints(cls)
    return {f.name: _completed_field(cls, f, hints[f.name], row) for f in fields(cls)}


def _completed_field(cls: type, f: Field[Any], annotation: Any, row: dict[str, Any]) -> Any:
    kind, optional = _unwrap(annotation)
    value = row.get(f.name)
    if value is not None:
        return _complete_value(kind, value)
    if optional and f.name in row:
        return None
    if f.default is not MISSING:
        return f.default
    if f.default_factory is not MISSING:
        return f.default_factory()
    if optional:
        return None
    if get_origin(kind) in (tuple, dict):
        return get_origin(kind)()
    raise ValueError(f"{cls.__name__}.{f.name} is missing and has no default")


def _complete_value(kind: Any, value: Any) -> Any:
    if _is_struct(kind):
        return _complete(kind, value)
    origin, args = get_origin(kind), get_args(kind)
    if origin is tuple and _is_struct(args[0]):
        return [_complete(args[0], item) for item in value]
    if origin is dict and _is_struct(args[1]):
        return {key: _complete(args[1], item) for key, item in value.items()}
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


@cache
def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(cls)
