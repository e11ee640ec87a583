"""Keys that a YAML mapping has twice: YAML 1.2 calls this an error, but parsers silently use the last one."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from .problems import Problem, child, item

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

__all__ = ["repeated_keys"]

_MOST_KEYS: Final = 100_000
"""Nested aliases can expand to any number of keys: repeated keys after this many are not found."""


def repeated_keys(text: str | bytes) -> tuple[Problem, ...]:
    """A problem for each key that its mapping has twice, with both lines.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    import yaml  # noqa: PLC0415 - only processes that have a YAML pay for its parser

    found: dict[str, Problem] = {}
    for path, first, second in islice(_repeated(yaml.compose(text, Loader=yaml.SafeLoader), "", ()), _MOST_KEYS):
        if path not in found and second:
            message = f"expected each key once, got it in line {first} and in line {second}: remove one of them"
            found[path] = Problem(path, message)
    return tuple(found.values())


def _repeated(node: yaml.Node | None, path: str, above: tuple[yaml.Node, ...]) -> Iterator[tuple[str, int, int]]:
    """The path of every key; for a repeated one with the lines of the first and of this one, else with 0."""
    import yaml  # noqa: PLC0415 - loaded already

    if node is None or node in above:  # an alias that contains itself
        return
    if isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            here = child(path, key.value)
            line = key.start_mark.line + 1
            name = (key.tag, str(key.value))
            yield here, lines.get(name, 0), line if name in lines else 0
            lines.setdefault(name, line)
            yield from _repeated(value, here, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield item(path, index), 0, 0
            yield from _repeated(value, item(path, index), (*above, node))
