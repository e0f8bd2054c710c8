"""Dataclasses read back from JSON that may be damaged, of another version, or somebody else's."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

# More bytes or attempts than there can be, and a time that no calendar has.
_TOO_LARGE = 1e11


def read(kind: type[T], data: Any) -> T:
    """Return a dataclass of texts, numbers, and tuples, mappings and dataclasses of them, as asdict() and JSON left it.

    A field that is missing has its default, one that is not known is left out: an older version, or a newer one, wrote
    it. Raises ValueError, TypeError or AttributeError for what is none.
    """
    if not isinstance(data, dict):
        raise TypeError("it is no record")
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind) if field.name in data]  # type: ignore[arg-type]
    return kind(**{name: _value(hints[name], data[name], name) for name in names})


def _value(hint: Any, value: Any, name: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return None if value is None else _value(arguments[0], value, name)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(arguments[0], each, name) for each in value)
    if origin is Mapping and isinstance(value, dict):
        return {_value(str, key, name): _value(arguments[1], each, name) for key, each in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return read(hint, value)  # type: ignore[arg-type]
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        # Not a number is in no range.
        if 0 <= value < _TOO_LARGE:
            return float(value)
    elif hint is int and isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value < _TOO_LARGE:
            return value
    elif hint is str and isinstance(value, str):
        value.encode()  # which halves of characters cannot be
        return value
    elif hint is bool and isinstance(value, bool):
        return value
    raise ValueError(f"{name} is not what it should be")
