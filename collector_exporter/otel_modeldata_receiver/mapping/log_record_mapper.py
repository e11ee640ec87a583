"""Maps the log records of one scope: by a line template, by `log_record.py`, or by `genai/log_event.py`.

A line template is a memo of what `log_record.py` does with records of one shape (`line_template/`). It never decides
anything: without templates every line is the same.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ..exceptions import BadRecordError
from . import event, log_record, otlp
from .bounds import large_text
from .bounds.record_cost import LARGE_BYTES, LONG_BYTES, MOST_TEMPLATE_BYTES
from .genai import log_event
from .line_template.scope_templates import ScopeTemplates
from .protowire import content_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .event import LargePayload, PlacedLine
    from .line_template.record_run import RecordRun
    from .line_template.template_cache import TemplateCache
    from .otlp import Record
    from .protowire import EmbeddedMessages
    from .scope import ScopeContext


class LogRecordMapper:
    """Maps the log records of one scope.

    Args:
        scope: what they share.
        templates: the line templates of known senders, if templates are used.

    Attributes:
        calls_without_content: log records are no calls; see `SpanMapper`.
    """

    calls_without_content = 0

    def __init__(self, scope: ScopeContext, templates: TemplateCache | None) -> None:
        self._scope = scope
        self._templates = None if templates is None else ScopeTemplates(scope, templates)

    def runs_of(self, records: EmbeddedMessages) -> Sequence[RecordRun]:
        """See `RecordMapper`."""
        return () if self._templates is None else self._templates.runs_of(records)

    def line_of_large(self, record: Record) -> PlacedLine | None:
        """See `RecordMapper`: a record that fits a template has nothing large but its text."""
        if self._templates is None or len(record) > MOST_TEMPLATE_BYTES:
            return None
        if isinstance(record, bytes):
            placed = self._templates.line_of(record)
        else:
            placed = self._templates.line_of(record.message, record.start, record.end)
        if placed is None and len(record) > LONG_BYTES and not self._templates.fitted:
            self._learn_without_text(content_of(record))
        return placed

    def _learn_without_text(self, raw: bytes) -> None:
        """Learn the template of a record that is too long to be mapped here, with other rows in it."""
        short = large_text.with_text(raw, b"[{}]")
        if short is not None and len(short) <= LARGE_BYTES:  # else it has large attributes: not to be read here
            with contextlib.suppress(BadRecordError):
                self.map(short)

    def map(self, raw: bytes) -> PlacedLine | LargePayload:
        """Map an encoded log record.

        Raises:
            BadRecordError: it cannot become a line.
        """
        templates = self._templates
        if templates is not None:
            placed = templates.line_of(raw)
            if placed is not None:
                return placed
        large = large_text.cut(raw)
        record = otlp.log_record(raw if large is None else large.rest)
        if large is not None and not log_event.is_genai_event(record):
            return event.outcome_of(log_record.read(record, self._scope, large.text), raw, self._scope)
        if large is not None:
            record = otlp.log_record(raw)
        if log_event.is_genai_event(record):
            return event.outcome_of(log_event.read(record, self._scope), raw, self._scope)
        outcome = event.outcome_of(log_record.read(record, self._scope), raw, self._scope)
        if templates is not None:
            templates.learn(raw, record, outcome)
        return outcome
