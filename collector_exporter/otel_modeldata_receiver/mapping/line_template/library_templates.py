"""The line templates that the senders of a library share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .places import Places
from .record_shape import layout_of, shape_of

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from .record_shape import Fitting, Layout, RecordShape
    from .template import LineTemplate

__all__ = ["Candidates", "LibraryTemplates"]

MOST_COMPARED: Final = 32
"""Of one library: 4 KiB each, and a record may be compared with all of them."""
MAX_CANDIDATES: Final = 32
"""Shapes of one sender or library that have no template, or none yet."""
_MOST_OF_ONE: Final = 8
"""Templates of a library that one deployment taught and no other one uses."""
_CUTS_WITHOUT_RESULT: Final = 8
"""When this many shapes did not repeat, only one of `_CUT_INTERVAL` records becomes a candidate."""
_CUT_INTERVAL: Final = 16


class Candidates:
    """Shapes that were seen once.

    Args:
        most_of_one: how many of them one deployment may have added.
    """

    __slots__ = ("_cuts", "_learnable", "_places", "_seen")

    def __init__(self, most_of_one: int = MAX_CANDIDATES) -> None:
        self._places: Places[RecordShape] = Places(MAX_CANDIDATES, most_of_one)
        self._learnable: dict[RecordShape, bool] = {}
        self._seen = 0
        self._cuts = 0

    def repeated(self, raw: bytes, record: LogRecord, tenant: str) -> RecordShape | None:
        """The shape of a record, if another record had it before, and it may have a template.

        Cutting a record costs about as much as reading it. So records whose shapes never repeat are soon cut rarely.
        A record of which another part is special is no reason to give a shape up.
        """
        self._seen += 1
        layout = layout_of(raw)
        for shape, learnable in self._learnable.items():
            if layout in {None, shape.layout} and shape.fit(raw) is not None:
                return shape if learnable and _is_ordinary(shape, raw, record) else None
        if self._cuts < _CUTS_WITHOUT_RESULT or self._seen % _CUT_INTERVAL == 0:
            self._cuts += 1
            candidate = shape_of(raw, record)
            if candidate is not None:
                lost = self._places.add(candidate, tenant)
                if lost is not None:
                    del self._learnable[lost]
                self._learnable[candidate] = True
        return None

    def learned(self, shape: RecordShape) -> None:
        """A shape has a template now."""
        self._places.forget(shape)
        self._learnable.pop(shape, None)
        self._cuts = 0

    def refuse(self, shape: RecordShape) -> bool:
        """Remember that a repeated shape has no template; False if it is not one of these."""
        if shape not in self._learnable:
            return False
        self._learnable[shape] = False
        return True


def _is_ordinary(shape: RecordShape, raw: bytes, record: LogRecord) -> bool:
    """Whether every slot of a record of this shape has an ordinary value."""
    found = shape_of(raw, record)
    return found is not None and len(found.slots) == len(shape.slots)


class LibraryTemplates:
    """The line templates that the senders of a library share."""

    def __init__(self) -> None:
        self.templates: Places[LineTemplate] = Places(MOST_COMPARED, _MOST_OF_ONE)
        self.candidates = Candidates(most_of_one=1)

    def fitting(
        self, raw: bytes, begin: int, stop: int | None, layout: Layout | None, tenant: str
    ) -> tuple[LineTemplate, Fitting] | None:
        """The template that has the shape of a record of `tenant`, and what is in the slots of the record.

        The record is between `begin` and `stop`, or the end of `raw`.
        """
        for template in self.templates:
            if layout is not None and layout != template.shape.layout:
                continue
            fitting = template.shape.fit(raw, begin, stop)
            if fitting is not None:
                self.templates.use(template, tenant)
                return template, fitting
        return None

    def add(self, template: LineTemplate, tenant: str) -> None:
        """Remember the template of a shape that `tenant` repeated."""
        self.templates.add(template, tenant)
        self.candidates.learned(template.shape)
