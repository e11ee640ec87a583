"""Paths in settings and arguments, where no shell has expanded `~`: YAML files, `--config=~/x`, Docker's `CMD`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_modeldata.validation.path_text import read_path
from otel_modeldata.validation.problems import Problem, child, item, shown

from .store_url import cleaned_store

__all__ = ["with_meant_paths"]

_MOST_LEVELS: Final = 4
"""No setting nests deeper. An alias of YAML may contain itself, and aliases of aliases may expand to any size."""


def with_meant_paths(settings: Mapping[Any, Any]) -> tuple[dict[Any, Any], tuple[Problem, ...]]:
    """`settings` with every path and store as it was meant, and the problems of paths that mean nothing.

    Values of another type than text are left for the decoder to refuse.
    """
    reader = _Reader()
    meant = {key: reader.meant(child("", key), key, value) for key, value in settings.items()}
    return meant, tuple(reader.problems)


class _Reader:
    """Reads values, and keeps the problems that it finds."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def meant(self, where: str, key: object, value: Any, depth: int = 1) -> Any:
        """What a value of the setting `key` means."""
        if isinstance(value, str):
            if key in {"store", "url"}:
                return cleaned_store(value)
            return self._path(where, value) if str(key).endswith("_file") else value
        if key == "deployments" and isinstance(value, (list, tuple)):
            return [
                self.meant(item(where, index), "deployment_file", one, depth + 1) for index, one in enumerate(value)
            ]
        if isinstance(value, Mapping) and depth < _MOST_LEVELS:
            return {
                name: self.meant(child(where, name), _kind(key, name, one), one, depth + 1)
                for name, one in value.items()
            }
        return value

    def _path(self, where: str, text: str) -> str:
        path, wrong = read_path(text)
        if wrong:
            self.problems.append(Problem(where, f"expected a path, got {shown(text)}, {wrong}"))
        return path


def _kind(key: object, name: object, value: object) -> object:
    """The key by which a value in a mapping is read: a datastore may be its URL alone, under a name of the user."""
    return "url" if key == "datastores" and isinstance(value, str) else name
