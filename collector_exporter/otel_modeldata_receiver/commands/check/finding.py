"""One result of a check: a problem, or a warning about a setting that may cause problems elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from otel_modeldata.validation.problems import Problem

    from .yaml_lines import YamlLines

__all__ = ["Finding", "problem", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem or a warning in a file.

    Attributes:
        severity: a problem stops a process from starting, a warning does not.
        about: the key and the message.
        line: line number of that key, from 1; None where the file has no such line.
    """

    severity: Literal["problem", "warning"]
    about: Problem
    line: int | None = None

    @property
    def sentence(self) -> str:
        """The text for a person; it begins with the key."""
        return f"{self.about.path}: {self.about.message}" if self.about.path else self.about.message


def problem(about: Problem, lines: YamlLines) -> Finding:
    """A problem, which stops a process from starting."""
    return Finding(severity="problem", about=about, line=lines.of(about.path))


def warning(about: Problem, lines: YamlLines) -> Finding:
    """A warning: the setting works here, but may not do what its author expects."""
    return Finding(severity="warning", about=about, line=lines.of(about.path))
