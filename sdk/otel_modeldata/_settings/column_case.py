"""Whether columns that Azure's consumer takes for equal are renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exceptions import ConfigError
from ..validation.problems import shown_choice
from .variables import COLUMN_CASE

if TYPE_CHECKING:
    from collections.abc import Mapping

_WARN: Final = "warn"
_RENAME: Final = "rename"


def load_column_case(environ: Mapping[str, str]) -> bool:
    """Read the variable; true to rename.

    Raises:
        ConfigError: its value is neither of the two.
    """
    text = environ.get(COLUMN_CASE.name) or _WARN
    choice = text.strip().lower()
    if choice not in (_WARN, _RENAME):
        raise ConfigError(COLUMN_CASE.problem(shown_choice(text, (_WARN, _RENAME))))
    return choice == _RENAME
