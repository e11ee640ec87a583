"""Decodes a parsed YAML or JSON document into a msgspec Struct, and reports every problem with its path.

`msgspec.convert` stops at its first error, and its messages are for programmers. This module walks through structs,
mappings and lists itself: each wrong value becomes a `Problem` with its path, an unknown key is refused with a
suggestion, and no message repeats text that may be a secret.

Text is accepted where a number or boolean is expected: YAML authors quote them, and flags and environment variables are
text. Choices are case-insensitive.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from .problems import Problem, child, closest, item, may_be_token, shown, shown_choice

__all__ = ["Rule", "decode"]

T = TypeVar("T")
Decoded = tuple[Any, tuple[Problem, ...]]

_WRONG: Final = msgspec.UNSET
"""Marks a wrong value."""
_NAMES: Final[Mapping[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "a mapping",
    tuple: "a list",
    list: "a list",
    type(None): "nothing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a value must be beyond its type; part of an `Annotated` type.

    Attributes:
        expected: completes the message "expected ...".
        accepts: whether a value of the type is valid.
        advice: what to do, appended to the message.
    """

    expected: str
    accepts: Callable[[Any], bool] = lambda _: True
    advice: str = ""


def decode(raw: object, kind: type[T], path: str = "") -> tuple[T | None, tuple[Problem, ...]]:
    """Decode a document into a struct, and find everything that is wrong with it.

    Args:
        raw: mappings, lists and scalars, as a parser returns them.
        kind: a `msgspec.Struct`; with `forbid_unknown_fields` unknown keys are problems.
        path: of `raw` in the document.

    Returns:
        The struct, with defaults in place of wrong values, and the problems. The struct is None when `raw` is not a
        mapping or lacks a required key.
    """
    value, problems = _decoded(raw, kind, path)
    return None if value is _WRONG else value, problems


def _decoded(raw: object, hint: Any, path: str) -> Decoded:
    kinds, rules = _unwrapped(hint)
    value, problems = _of_kinds(raw, kinds, rules, path)
    if value is _WRONG or value is None or problems:
        return value, problems
    broken = next((rule for rule in rules if not rule.accepts(value)), None)
    if broken is None:
        return value, ()
    return _WRONG, (_problem(path, broken.expected, raw, broken.advice),)


def _of_kinds(raw: object, kinds: tuple[Any, ...], rules: tuple[Rule, ...], path: str) -> Decoded:
    if raw is None and type(None) in kinds:
        return None, ()
    for kind in kinds:
        origin = get_origin(kind) or kind
        if isinstance(raw, Mapping):
            if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
                return _struct(raw, origin, path)
            if origin is dict:
                key_hint, value_hint = get_args(kind)
                return _mapping(raw, key_hint, value_hint, path)
        elif origin is tuple and isinstance(raw, list | tuple):
            return _list(raw, get_args(kind)[0], path)
    for kind in kinds:
        value = _scalar(raw, kind)
        if value is not _WRONG:
            return value, ()
    expected = rules[0].expected if rules else _expected(kinds)
    return _WRONG, (_problem(path, expected, raw, rules[0].advice if rules else "", kinds),)


def _struct(raw: Mapping[Any, Any], kind: type[msgspec.Struct], path: str) -> Decoded:
    fields = _fields(kind)
    unknown = [key for key in raw if key not in fields] if kind.__struct_config__.forbid_unknown_fields else []
    problems = [_unknown(child(path, key), key, tuple(fields)) for key in unknown]
    values = {}
    for key, field in fields.items():
        if key in raw:
            value, found = _decoded(raw[key], field.type, child(path, key))
            problems += found
        elif field.required:
            value = _WRONG
            problems.append(_missing(child(path, key), field.type))
        else:
            continue
        if value is not _WRONG:
            values[field.name] = value
    is_whole = all(field.name in values for field in fields.values() if field.required)
    return kind(**values) if is_whole else _WRONG, tuple(problems)


@cache
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    """The fields of a struct by their keys; msgspec evaluates the annotations on each call."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _mapping(raw: Mapping[Any, Any], key_hint: Any, value_hint: Any, path: str) -> Decoded:
    entries = {}
    problems: tuple[Problem, ...] = ()
    for key, entry in raw.items():
        name, of_name = _decoded(key, key_hint, child(path, key))
        value, of_value = _decoded(entry, value_hint, child(path, key))
        problems += (*of_name, *of_value)
        if name is not _WRONG and value is not _WRONG:
            entries[name] = value
    return entries, problems


def _list(raw: list[Any] | tuple[Any, ...], hint: Any, path: str) -> Decoded:
    values = [_decoded(entry, hint, item(path, index)) for index, entry in enumerate(raw)]
    return (
        tuple(value for value, _ in values if value is not _WRONG),
        tuple(problem for _, found in values for problem in found),
    )


def _scalar(raw: object, kind: Any) -> Any:
    """`raw` as `kind`; `_WRONG` if it is not one."""
    if choices := _choices(kind):
        known = {name.lower(): value for name, value in choices.items()}
        return known.get(raw.strip().lower(), _WRONG) if isinstance(raw, str) else _WRONG
    given = raw.strip().lower() if kind is bool and isinstance(raw, str) else raw
    if kind not in _NAMES or (kind is int and isinstance(raw, float)):  # `version: 1.0` is not the version 1
        return _WRONG
    try:
        return msgspec.convert(given, kind, strict=False)
    except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: bytes of a variable that are not UTF-8
        return _WRONG


def _choices(kind: Any) -> Mapping[str, Any]:
    """The values of an enumeration or `Literal`, by the text that users write."""
    if get_origin(kind) is Literal:
        return {str(value): value for value in get_args(kind)}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {str(member.value): member for member in kind}
    return {}


def _unwrapped(hint: Any) -> tuple[tuple[Any, ...], tuple[Rule, ...]]:
    """The types that a hint allows, and the rules of its `Annotated`."""
    if get_origin(hint) is Annotated:
        kinds, rules = _unwrapped(hint.__origin__)
        return kinds, (*(mark for mark in hint.__metadata__ if isinstance(mark, Rule)), *rules)
    if get_origin(hint) in (Union, types.UnionType):
        members = [_unwrapped(member) for member in get_args(hint)]
        kinds = tuple(kind for of_member, _ in members for kind in of_member)
        return kinds, tuple(rule for _, of_member in members for rule in of_member)
    return (hint,), ()


def _expected(kinds: tuple[Any, ...]) -> str:
    return " or ".join(dict.fromkeys(_name(kind) for kind in kinds if kind is not type(None)))


def _name(kind: Any) -> str:
    if choices := _choices(kind):
        return f"one of {', '.join(choices)}"
    return _NAMES.get(get_origin(kind) or kind, "a mapping")


def _unknown(path: str, key: object, known: tuple[str, ...]) -> Problem:
    close = closest(key, known)
    hint = f"did you mean {close!r}?" if close else f"expected one of {', '.join(known)}"
    return Problem(path, f"unknown key, {hint}")


def _missing(path: str, hint: Any) -> Problem:
    kinds, rules = _unwrapped(hint)
    return Problem(path, f"expected {rules[0].expected if rules else _expected(kinds)}, got nothing")


_PLAIN_KINDS: Final = frozenset({bool, int, float, type(None)})


def _problem(path: str, expected: str, raw: object, advice: str, kinds: tuple[Any, ...] = ()) -> Problem:
    message = f"expected {expected}, got {_shown(raw, kinds)}"
    return Problem(path, f"{message}; {advice}" if advice else message)


def _shown(raw: object, kinds: tuple[Any, ...]) -> str:
    """A value for a message. Text where a mapping or list is expected is not shown: it may be a secret."""
    if isinstance(raw, Mapping | list | tuple) or raw is None:
        name = _NAMES[dict if isinstance(raw, Mapping) else type(raw)]
        return name if raw or raw is None else "an empty one"
    if isinstance(raw, str) and any(_name(kind) in ("a mapping", "a list") for kind in kinds):
        return "text"
    if isinstance(raw, str) and _PLAIN_KINDS.issuperset(kinds) and may_be_token(raw):
        return shown_choice(raw)
    return shown(raw)
