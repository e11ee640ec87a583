"""Maps the log records of one scope: by a line template where one fits, else by `log_record.py`.

A line template is a memo of what `log_record.py` does with records of one shape (`line_template/`). It never decides
anything: without templates every line is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import event, log_record, otlp
from .line_template.scope_templates import ScopeTemplates

if TYPE_CHECKING:
    from .event import LargePayload, PlacedLine
    from .line_template.template_cache import TemplateCache
    from .scope import ScopeContext


class LogRecordMapper:
    """Maps the log records of one scope.

    Args:
        scope: what they share.
        templates: the line templates of known senders, if templates are used.
    """

    def __init__(self, scope: ScopeContext, templates: TemplateCache | None) -> None:
        self._scope = scope
        self._templates = None if templates is None else ScopeTemplates(scope, templates)

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
        record = otlp.log_record(raw)
        outcome = event.outcome_of(log_record.read(record, self._scope), raw, self._scope)
        if templates is not None:
            templates.learn(raw, record, outcome)
        return outcome
