"""Strict dataclasses: one description of each parameter serves the files, the forms and the checks.

A field made with `quantity` or `choice` carries its unit, limits and help. `load` builds a dataclass from JSON and
refuses unknown keys, missing ones and values out of range with a sentence that names the key and the range.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from eclips_app.core.errors import EclipsError

T = TypeVar("T")


@dataclass(frozen=True)
class Rule:
    """What a field may hold: unit, limits (inclusive), choices, and the words that a form shows."""

    label: str = ""
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    help: str = ""

    @property
    def range_text(self) -> str:
        """The permitted values in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        unit = f" {self.unit}" if self.unit else ""
        if math.isinf(self.low) and math.isinf(self.high):
            return f"a finite number{unit and ' in' + unit}"
        if math.isinf(self.high):
            return f"{self.low:g} or more{unit}"
        if math.isinf(self.low):
            return f"{self.high:g} or less{unit}"
        return f"{self.low:g} to {self.high:g}{unit}"


def quantity(
    default: Any = dataclasses.MISSING,
    *,
    label: str = "",
    unit: str = "",
    low: float = -math.inf,
    high: float = math.inf,
    help: str = "",
) -> Any:
    """Declare a numeric dataclass field with its unit and limits; for tuples the limits hold for every element."""
    return dataclasses.field(default=default, metadata={"rule": Rule(label, unit, low, high, (), help)})


def choice(default: str, *choices: str, label: str = "", help: str = "") -> Any:
    """Declare a text dataclass field that holds one of `choices`."""
    return dataclasses.field(default=default, metadata={"rule": Rule(label=label, choices=choices, help=help)})


def rule_of(cls: type, name: str) -> Rule:
    """Give the rule of a dataclass field; an empty rule if it was declared without one."""
    field = cls.__dataclass_fields__[name]  # type: ignore[attr-defined]
    rule: Rule = field.metadata.get("rule", Rule())
    return rule


def dump(value: Any) -> Any:
    """Turn a dataclass into JSON values; fields that are None and need not be given are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        optional = {f.name for f in dataclasses.fields(value) if f.default is None}
        items = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: dump(item) for name, item in items if not (item is None and name in optional)}
    if isinstance(value, (tuple, list)):
        return [dump(item) for item in value]
    if isinstance(value, dict):
        return {str(key): dump(item) for key, item in value.items()}
    return value


def load(cls: type[T], data: Any, where: str = "") -> T:
    """Build the dataclass `cls` from JSON values, strictly.

    Parameters
    ----------
    cls : type
        The dataclass.
    data : Any
        What `json.load` gave.
    where : str
        The file's name or the key's path, used in messages.

    Raises
    ------
    EclipsError
        Unknown or missing key, wrong type, or a value outside its range; the message names key and range.
    """
    if not isinstance(data, dict):
        raise EclipsError(f"{_kind(data)} stands where an object with keys is expected", where=where)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in data:
        if key not in fields:
            raise EclipsError(f"unknown key '{key}'", where=where, hint=f"Known keys: {', '.join(fields)}.")
    hints = typing.get_type_hints(cls)
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _convert(data[name], hints[name], rule_of(cls, name), _join(where, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise EclipsError(f"the key '{name}' is missing", where=where, hint="Add it.")
    return cls(**values)


def tupled(value: Any) -> Any:
    """Turn lists within JSON values into tuples, as the fields of frozen dataclasses have them."""
    return tuple(tupled(each) for each in value) if isinstance(value, (list, tuple)) else value


def check(value: Any, where: str = "") -> None:
    """Raise `EclipsError` if a dataclass built in code breaks the rules of its fields."""
    load(type(value), dump(value), where)


def _join(where: str, name: str) -> str:
    return f"{where}: {name}" if where.endswith((".json", ".eclips")) else f"{where}.{name}" if where else name


def _kind(data: Any) -> str:
    names = {type(None): "null", bool: "true or false", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(data), "a number")


def _convert(data: Any, hint: Any, rule: Rule, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in args:
            return None
        return _convert(data, next(a for a in args if a is not type(None)), rule, where)
    if dataclasses.is_dataclass(hint):
        return load(typing.cast(type, hint), data, where)
    if origin is tuple:
        return _convert_tuple(data, args, rule, where)
    if origin is np.ndarray:
        return _expect(data, np.ndarray, "an array", where)
    if origin is dict or hint is dict:
        return dict(_expect(data, dict, "an object", where))
    if hint is Any:
        return data
    if hint is bool:
        return _expect(data, bool, "true or false", where)
    if hint is str:
        return _text(data, rule, where)
    return _number(data, hint, rule, where)


def _expect(data: Any, kind: type, words: str, where: str) -> Any:
    if not isinstance(data, kind):
        raise EclipsError(f"{_kind(data)} stands where {words} is expected", where=where)
    return data


def _text(data: Any, rule: Rule, where: str) -> str:
    text: str = _expect(data, str, "a text", where)
    if rule.choices and text not in rule.choices:
        raise EclipsError(f"'{text}' is not known", where=where, hint=f"Give {rule.range_text}.")
    return text


def _convert_tuple(data: Any, args: tuple[Any, ...], rule: Rule, where: str) -> tuple[Any, ...]:
    _expect(data, (list, tuple), "a list", where)  # type: ignore[arg-type]
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_convert(item, args[0], rule, f"{where}[{i}]") for i, item in enumerate(data))
    if len(data) != len(args):
        raise EclipsError(f"{len(data)} values stand where {len(args)} are expected", where=where)
    return tuple(_convert(d, a, rule, f"{where}[{i}]") for i, (d, a) in enumerate(zip(data, args, strict=True)))


def _number(data: Any, hint: Any, rule: Rule, where: str) -> float | int:
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        raise EclipsError(
            f"{_kind(data)} stands where a number is expected", where=where, hint=f"Give {rule.range_text}."
        )
    if hint is int and data != int(data if math.isfinite(data) else 0):
        raise EclipsError(f"{data} is not a whole number", where=where, hint=f"Give {rule.range_text}.")
    if not math.isfinite(data) or not rule.low <= data <= rule.high:
        raise EclipsError(f"{data:g} is out of range", where=where, hint=f"Give {rule.range_text}.")
    return int(data) if hint is int else float(data)
