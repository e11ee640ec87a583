"""Messages that a library recorded in parts: one attribute for each part, or one event of the span for each message.

A library that may not record content leaves out the words, not the messages: a role, an id or a finish reason remains,
an empty value, or a mark in place of the words. Such messages say nothing, and a monitor must not grade them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Attributes = Mapping[str, object]

__all__ = ["of_attributes", "of_events", "parsed", "says_something"]

_NOTHING: Final = frozenset({"", "[]", "{}", "null", '""', "__REDACTED__"})
"""Texts that stand for no content; the last one is OpenInference's, when inputs or outputs are hidden."""
_LABELS: Final = frozenset({"role", "id", "type", "index", "finish_reason", "tool_call_id"})
"""Keys of messages that are recorded without content as well."""
_MAX_NUMBER_DIGITS: Final = 6
_MAX_PARSED_CHARS: Final = 64 * 1024
"""Messages without words are shorter; to parse a longer text would take time and memory for nothing."""
_PREFIX, _SUFFIX = "gen_ai.", ".message"
_CHOICE: Final = "gen_ai.choice"
_EVENT_CONTENT: Final = "gen_ai.event.content"
"""The attribute of span events that holds a message as JSON: OTel semantic conventions 1.27 to 1.36, Azure AI."""


def says_something(value: object) -> bool:
    """Whether a value, or any part of it, is more than labels and empty values."""
    try:
        return _says_something(value)
    except RecursionError:  # nests deeper than any message: it is content of some kind
        return True


def _says_something(value: object) -> bool:
    if isinstance(value, str):
        return value.strip() not in _NOTHING
    if isinstance(value, dict):
        return any(not _is_label(key) and _says_something(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return any(map(_says_something, value))
    return value is not None


def _is_label(key: str) -> bool:
    """Whether a key of a message is a label; keys of attributes for one part each have a path before it."""
    return key.rpartition(".")[2] in _LABELS


def parsed(text: str) -> object:
    """The value of a JSON text; any other text, and a long one, as it is."""
    if len(text) > _MAX_PARSED_CHARS:
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def of_attributes(attributes: Attributes, prefix: str) -> str | None:
    """The messages in attributes such as `{prefix}0.role` and `{prefix}0.content`; None where they say nothing."""
    found: dict[int, dict[str, object]] = {}
    for key, value in attributes.items():
        number, _, name = key.removeprefix(prefix).partition(".") if key.startswith(prefix) else ("", "", "")
        if name and number.isascii() and number.isdecimal() and len(number) <= _MAX_NUMBER_DIGITS:
            found.setdefault(int(number), {})[name.removeprefix("message.")] = value
    return _text([found[number] for number in sorted(found)])


def of_events(events: Iterable[tuple[str, Attributes]]) -> tuple[str | None, str | None]:
    """The messages in the events of a span: what was asked, and the answers; None where they say nothing."""
    asked: list[object] = []
    answered: list[object] = []
    for name, attributes in events:
        content = attributes.get(_EVENT_CONTENT)
        if not isinstance(content, str):
            continue
        if name == _CHOICE:
            answered.append(parsed(content))
        elif name.startswith(_PREFIX) and name.endswith(_SUFFIX):
            asked.append(parsed(content))
    return _text(asked), _text(answered)


def _text(messages: Sequence[object]) -> str | None:
    """The words of one message that has nothing else; any other messages as JSON."""
    if not says_something(messages):
        return None
    if len(messages) == 1:
        words = _only_words(messages[0])
        if words is not None:
            return words
    return msgspec.json.encode(messages).decode()


def _only_words(message: object) -> str | None:
    """The words of a message that has nothing else but labels; None for any other message."""
    if isinstance(message, dict):
        has_more = any(key != "content" and not _is_label(key) for key in message)
        message = None if has_more else message.get("content")
    return message if isinstance(message, str) else None
