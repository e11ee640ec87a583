"""The line of every key in a YAML file, by the path that a `Problem` has."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import yaml

from otel_modeldata.validation.problems import child, item

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["YamlLines"]

_MOST_KEYS: Final = 100_000
"""Nested aliases can expand to any number of keys: keys above this limit have no line."""


class YamlLines:
    """The line numbers of all keys of a YAML text, from 1; a text that is not YAML has none.

    Attributes:
        repeated: keys that a mapping has twice, by their path, with both lines; parsers silently use the last one.
    """

    def __init__(self, text: str) -> None:
        self.repeated: dict[str, tuple[int, int]] = {}
        self._lines: dict[str, int] = {}
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, RecursionError):
            return
        for path, line in islice(_keys(node, "", ()), _MOST_KEYS):
            if path in self._lines and not any(_is_inside(path, above) for above in self.repeated):
                self.repeated[path] = (self._lines[path], line)
            self._lines[path] = line

    def of(self, path: str) -> int | None:
        """The line of a path, or of the nearest key around it; None when there is neither."""
        if path in self._lines:
            return self._lines[path]
        around = [known for known in self._lines if _is_inside(path, known)]
        return self._lines[max(around, key=len)] if around else None


def _is_inside(path: str, above: str) -> bool:
    return path.startswith((f"{above}.", f"{above}["))


def _keys(node: yaml.Node | None, path: str, above: tuple[yaml.Node, ...]) -> Iterator[tuple[str, int]]:
    """Path and line of every key; an alias that contains itself is not entered again."""
    if node is None or node in above:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = child(path, key.value)
            yield here, key.start_mark.line + 1
            yield from _keys(value, here, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            here = item(path, index)
            yield here, value.start_mark.line + 1
            yield from _keys(value, here, (*above, node))
