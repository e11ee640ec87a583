"""One blob or object that is parked and not to be delivered now."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Leftover", "LeftoverKind"]


class LeftoverKind(Enum):
    """Why something is left.

    Attributes:
        DELIVERED: it is delivered, and could not be removed.
        DOUBTFUL: an object; no line is known to name it.
        FOREIGN: an object that another receiver has parked, a long time ago.
    """

    DELIVERED = auto()
    DOUBTFUL = auto()
    FOREIGN = auto()


class Leftover(NamedTuple):
    """What is left.

    Attributes:
        kind: why.
        folder: the folder to which it was delivered, or would be.
        size: its bytes.
        marks: of a blob, the names and sizes of its marks.
        stored: of an object, its name in its folder.
        instance: of an object, who has parked it; empty where that is not known.
    """

    kind: LeftoverKind
    folder: str
    size: int
    marks: Sequence[tuple[str, int]] = ()
    stored: str = ""
    instance: str = ""
