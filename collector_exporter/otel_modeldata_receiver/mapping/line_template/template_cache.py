"""Remembers line templates by sender, and decides when one is worth learning.

Senders that use the same library mostly send records of the same shape. So what one of them taught serves all of them
(`LibraryTemplates`), and ten thousand senders of one record each cost as much as one sender of ten thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from .library_templates import MOST_COMPARED, Candidates, LibraryTemplates
from .places import Places
from .record_shape import layout_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from ..resource import DeploymentResource
    from .record_shape import Fitting, Layout, RecordShape
    from .template import LineTemplate

__all__ = ["SenderTemplates", "TemplateCache"]

_encoder: Final = msgspec.json.Encoder()

MAX_TEMPLATES: Final = 256
"""Of one sender: its collections have names, and their records attributes, of so many sizes."""
MAX_SENDERS: Final = 256
"""And as many libraries."""
MOST_TEMPLATES: Final = MAX_SENDERS * MOST_COMPARED
"""Of all senders; 4 KiB each."""
_LIBRARIES_OF_ONE: Final = 32
"""Libraries that only one deployment uses."""

Sender: TypeAlias = "tuple[DeploymentResource, str]"
"""The resource and the agent: lines depend only on these, the record and its time."""
Library: TypeAlias = "tuple[str, bool]"
"""The agent, and whether the resource names a producer: templates depend only on these and the shape of the record."""


class TemplateCache:
    """Line templates of the senders that sent most recently."""

    def __init__(self) -> None:
        self._senders: dict[Sender, SenderTemplates] = {}
        self._libraries: dict[Library, LibraryTemplates] = {}
        self._places: Places[Library] = Places(MAX_SENDERS, _LIBRARIES_OF_ONE)

    def __len__(self) -> int:
        """How many senders are known."""
        return len(self._senders)

    def of_sender(self, sender: Sender) -> SenderTemplates:
        """The templates of `sender`."""
        found = self._senders.pop(sender, None)
        if found is None:
            found = SenderTemplates(self._of_library(*sender), sender[0], self._forget_some)
            if len(self._senders) >= MAX_SENDERS:
                del self._senders[next(iter(self._senders))]
        self._senders[sender] = found
        return found

    def _forget_some(self) -> None:
        """Forget the senders that were not seen for the longest time, if all have too many templates together."""
        count = sum(len(sender.templates) for sender in self._senders.values())
        while count > MOST_TEMPLATES and len(self._senders) > 1:
            count -= len(self._senders.pop(next(iter(self._senders))).templates)

    def _of_library(self, resource: DeploymentResource, agent: str) -> LibraryTemplates:
        library = (agent, bool(resource.producer))
        found = self._libraries.get(library)
        if found is not None:
            self._places.use(library, resource.tenant)
            return found
        lost = self._places.add(library, resource.tenant)
        if lost is not None:
            del self._libraries[lost]
        found = self._libraries[library] = LibraryTemplates()
        return found


class SenderTemplates:
    """The line templates of one sender.

    Args:
        library: those of the sender's library.
        resource: that of the sender.
        on_many: called when the sender has more templates than most.

    Attributes:
        of_resource: the source and the producer, as a line has them without the quotes.
        templates: the templates, the newest first.
        last: the template of the last record that had one.
        followed_by: for each template, that of the record that followed it last time: a guess at the next one.
    """

    __slots__ = (
        "_by_layout",
        "_candidates",
        "_library",
        "_may_be_the_only_one",
        "_on_many",
        "_tenant",
        "followed_by",
        "last",
        "of_resource",
        "templates",
    )

    def __init__(self, library: LibraryTemplates, resource: DeploymentResource, on_many: Callable[[], None]) -> None:
        self.of_resource = (_in_line(resource.source), _in_line(resource.producer or ""))
        self.templates: tuple[LineTemplate, ...] = ()
        self.last: LineTemplate | None = None
        self.followed_by: dict[LineTemplate | None, LineTemplate] = {}
        self._by_layout: dict[Layout, tuple[LineTemplate, ...]] = {}
        self._on_many = on_many
        self._library = library
        self._tenant = resource.tenant
        self._candidates: Candidates | None = None
        """Most senders need none."""
        self._may_be_the_only_one = True

    @property
    def is_full(self) -> bool:
        """Whether another template replaces one."""
        return len(self.templates) >= MAX_TEMPLATES

    def repeated_shape(self, raw: bytes, record: LogRecord) -> RecordShape | None:
        """The shape of a record that fits no template, if another record had that shape before.

        The first record of a sender, which may be the only one, is compared with those of other senders of its library.
        """
        if self._may_be_the_only_one:
            self._may_be_the_only_one = False
            return self._library.candidates.repeated(raw, record, self._tenant)
        if self._candidates is None:
            self._candidates = Candidates()
        return self._candidates.repeated(raw, record, self._tenant)

    def add(self, template: LineTemplate) -> None:
        """Remember the template of a repeated shape, also for the other senders of the library."""
        self._remember(template)
        if self._candidates is not None:
            self._candidates.learned(template.shape)
        self._library.add(template, self._tenant)

    def fitting(self, raw: bytes, begin: int = 0, stop: int | None = None) -> tuple[LineTemplate, Fitting] | None:
        """The template that has the shape of a record, of this sender if it has one, and what is in the slots.

        The record is all of `raw`, or what is between `begin` and `stop`.
        """
        layout = layout_of(raw, begin, stop)
        templates = self.templates[:MOST_COMPARED] if layout is None else self._by_layout.get(layout, ())
        for template in templates:
            fitting = template.shape.fit(raw, begin, stop)
            if fitting is not None:
                return template, fitting
        found = self._library.fitting(raw, begin, stop, layout, self._tenant)
        if found is not None:
            self._remember(found[0])
        return found

    def refuse(self, shape: RecordShape) -> None:
        """Remember that a repeated shape has no template."""
        if self._candidates is None or not self._candidates.refuse(shape):
            self._library.candidates.refuse(shape)

    def _remember(self, template: LineTemplate) -> None:
        for lost in self.templates[MAX_TEMPLATES - 1 :]:
            self.last = None
            self.followed_by.clear()
            others = tuple(one for one in self._by_layout.pop(lost.shape.layout) if one is not lost)
            if others:
                self._by_layout[lost.shape.layout] = others
        self.templates = (template, *self.templates[: MAX_TEMPLATES - 1])
        layout = template.shape.layout
        self._by_layout[layout] = (template, *self._by_layout.get(layout, ()))
        if len(self.templates) > MOST_COMPARED:
            self._on_many()


def _in_line(text: str) -> bytes:
    """A text as a line has it, without the quotes."""
    return _encoder.encode(text)[1:-1]
