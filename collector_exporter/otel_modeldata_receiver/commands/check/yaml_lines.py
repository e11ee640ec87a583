"""Where in a YAML file something stands: line numbers for sentences that name a key by its dotted path."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["YamlLines"]

_MOST_KEYS: Final = 100_000
"""Aliases of aliases can stand for more keys than there are atoms: those beyond have no line."""

_UNKNOWN_KEY: Final = re.compile(r"unknown key '([^']*)'")
_BAD_NAME: Final = re.compile(r"a name in (?P<where>[\w.]+): .*, got '?(?P<name>[^']*)'?")


class YamlLines:
    """The lines of all keys of a YAML text, from 1.

    Attributes:
        repeated: keys that a mapping gives twice, by their path, with both lines; parsers take the last one silently.
    """

    def __init__(self, text: str) -> None:
        self.repeated: dict[str, tuple[int, int]] = {}
        self._lines: dict[str, int] = {}
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            self._of_syntax_error = None if error.problem_mark is None else error.problem_mark.line + 1
            return
        except (yaml.YAMLError, RecursionError):
            node = None
        self._of_syntax_error = None
        for path, line in islice(_keys(node, "", ()), _MOST_KEYS):
            if path in self._lines and not any(path.startswith(f"{above}.") for above in self.repeated):
                self.repeated[path] = (self._lines[path], line)
            self._lines[path] = line

    def of(self, path: str) -> int | None:
        """The line of a dotted path, or of what holds it; None when no part of it is there."""
        while path and path not in self._lines:
            path = path.rpartition(".")[0]
        return self._lines.get(path)

    def of_sentence(self, sentence: str) -> int | None:
        """The line of what a sentence is about, which begins with a path, as those of `ConfigError` do."""
        if self._of_syntax_error is not None:
            return self._of_syntax_error
        where = sentence.partition(": ")[0]
        if (unknown := _UNKNOWN_KEY.search(sentence)) is not None:
            return self.of(unknown[1] if where == "the file" else f"{where}.{unknown[1]}")
        if (bad := _BAD_NAME.match(sentence)) is not None:
            return self.of(f"{bad['where']}.{bad['name']}")
        return self.of(where)


def _keys(node: yaml.Node | None, path: str, above: tuple[yaml.Node, ...]) -> Iterator[tuple[str, int]]:
    """Path and line of every key; an alias that holds itself is not entered again."""
    if node is None or node in above:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = f"{path}.{key.value}" if path else str(key.value)
            yield here, key.start_mark.line + 1
            yield from _keys(value, here, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            here = f"{path}[{number}]"
            yield here, value.start_mark.line + 1
            yield from _keys(value, here, (*above, node))
