"""Remembers line templates by sender, and decides when one is worth learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from .record_shape import shape_of

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from ..resource import DeploymentResource
    from .record_shape import RecordShape
    from .template import LineTemplate

__all__ = ["SenderTemplates", "TemplateCache"]

MAX_SENDERS: Final = 256
MAX_TEMPLATES: Final = 32
"""Of one sender: 4 KiB each, and a record may be compared with all of them."""
MAX_CANDIDATES: Final = 8
"""Shapes of one sender that have no template, or none yet."""
_CUTS_WITHOUT_RESULT: Final = 8
"""When this many shapes did not repeat, only one of `_CUT_INTERVAL` records becomes a candidate."""
_CUT_INTERVAL: Final = 16

Sender: TypeAlias = "tuple[DeploymentResource, str]"
"""The resource and the agent: lines depend only on these, the record and its time."""


class TemplateCache:
    """Line templates of the senders that sent most recently."""

    def __init__(self) -> None:
        self._senders: dict[Sender, SenderTemplates] = {}

    def __len__(self) -> int:
        """How many senders are known."""
        return len(self._senders)

    def of_sender(self, sender: Sender) -> SenderTemplates:
        """The templates of `sender`."""
        found = self._senders.pop(sender, None)
        if found is None:
            found = SenderTemplates()
            if len(self._senders) >= MAX_SENDERS:
                del self._senders[next(iter(self._senders))]
        self._senders[sender] = found
        return found


class SenderTemplates:
    """The line templates of one sender.

    Attributes:
        templates: the templates, the newest first.
    """

    __slots__ = ("_candidates", "_cuts", "_unmatched", "templates")

    def __init__(self) -> None:
        self.templates: tuple[LineTemplate, ...] = ()
        self._candidates: dict[RecordShape, bool] = {}
        """Shapes that were seen, the oldest first, and whether they may have a template."""
        self._unmatched = 0
        self._cuts = 0

    @property
    def is_full(self) -> bool:
        """Whether another template replaces one."""
        return len(self.templates) >= MAX_TEMPLATES

    def repeated_shape(self, raw: bytes, record: LogRecord) -> RecordShape | None:
        """The shape of a record that fits no template, if another record had that shape before.

        Cutting a record costs about as much as reading it. So the first record of a sender is not cut, as it may be the
        only one, and records of senders whose shapes never repeat are soon cut rarely.
        """
        self._unmatched += 1
        for shape, learnable in self._candidates.items():
            if shape.fit(raw) is not None:
                return shape if learnable else None
        if self._unmatched > 1 and (self._cuts < _CUTS_WITHOUT_RESULT or self._unmatched % _CUT_INTERVAL == 0):
            self._cuts += 1
            candidate = shape_of(raw, record)
            if candidate is not None:
                if len(self._candidates) >= MAX_CANDIDATES:
                    del self._candidates[next(iter(self._candidates))]
                self._candidates[candidate] = True
        return None

    def add(self, template: LineTemplate) -> None:
        """Remember the template of a repeated shape."""
        self.templates = (template, *self.templates[: MAX_TEMPLATES - 1])
        self._candidates.pop(template.shape, None)
        self._cuts = 0

    def refuse(self, shape: RecordShape) -> None:
        """Remember that a repeated shape has no template."""
        self._candidates[shape] = False
