"""Remembers line templates by sender, and decides when one is worth learning.

Senders that use the same library mostly send records of the same shape. So what one of them taught serves all of them
(`SenderTemplates.library`), and ten thousand senders of one record each cost as much as one sender of ten thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from .record_shape import shape_of

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from ..resource import DeploymentResource
    from .record_shape import Fitting, RecordShape
    from .template import LineTemplate

__all__ = ["SenderTemplates", "TemplateCache"]

_Key = TypeVar("_Key")

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
Library: TypeAlias = "tuple[str, bool]"
"""The agent, and whether the resource names a producer: templates depend only on these and the shape of the record."""


class TemplateCache:
    """Line templates of the senders that sent most recently."""

    def __init__(self) -> None:
        self._senders: dict[Sender, SenderTemplates] = {}
        self._libraries: dict[Library, SenderTemplates] = {}

    def __len__(self) -> int:
        """How many senders are known."""
        return len(self._senders)

    def of_sender(self, sender: Sender) -> SenderTemplates:
        """The templates of `sender`."""
        found = self._senders.pop(sender, None)
        if found is None:
            resource, agent = sender
            library = (agent, bool(resource.producer))
            shared = self._libraries.pop(library, None) or SenderTemplates()
            _remember(self._libraries, library, shared)
            found = SenderTemplates(shared)
        _remember(self._senders, sender, found)
        return found


def _remember(known: dict[_Key, SenderTemplates], key: _Key, templates: SenderTemplates) -> None:
    """Add what was used most recently; what was not used for the longest time is forgotten."""
    if len(known) >= MAX_SENDERS:
        del known[next(iter(known))]
    known[key] = templates


class SenderTemplates:
    """The line templates of one sender, or of all senders of a library.

    Args:
        library: those of the sender's library.

    Attributes:
        templates: the templates, the newest first.
        library: see above.
    """

    __slots__ = ("_candidates", "_cuts", "_unmatched", "library", "templates")

    def __init__(self, library: SenderTemplates | None = None) -> None:
        self.library = library
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

        Cutting a record costs about as much as reading it. So the first record of a sender, which may be the only one,
        is compared with those of other senders of its library, and records whose shapes never repeat are soon cut
        rarely.
        """
        self._unmatched += 1
        if self._unmatched == 1 and self.library is not None:
            return self.library.repeated_shape(raw, record)
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
        """Remember the template of a repeated shape, also for the other senders of the library."""
        self.templates = (template, *self.templates[: MAX_TEMPLATES - 1])
        self._candidates.pop(template.shape, None)
        self._cuts = 0
        if self.library is not None:
            self.library.add(template)

    def fitting(self, raw: bytes) -> tuple[LineTemplate, Fitting] | None:
        """The template that has the shape of a record, and the pieces of the record; of this sender if it has one."""
        for template in self.templates:
            fitting = template.shape.fit(raw)
            if fitting is not None:
                return template, fitting
        if self.library is None:
            return None
        found = self.library.fitting(raw)
        if found is not None:
            self.templates = (found[0], *self.templates[: MAX_TEMPLATES - 1])
        return found

    def refuse(self, shape: RecordShape) -> None:
        """Remember that a repeated shape has no template."""
        if self.library is not None and shape not in self._candidates:
            self.library.refuse(shape)
        else:
            self._candidates[shape] = False
