"""`Report`: the figures of a deployment or a collection, as values, as JSON, as a page, and as gauges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from .figures.report import Figures, Finding
    from .gauges import Gauge

__all__ = ["Report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report; `Store.report` makes it.

    Attributes:
        figures: all of it.
    """

    figures: Figures

    def __repr__(self) -> str:
        return f"Report({self.figures.name!r}, {len(self.figures.findings)} findings)"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What needs eyes, the most important first."""
        return self.figures.findings

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self.figures))
        return found

    def to_json(self) -> str:
        """The figures as JSON."""
        return msgspec.json.encode(self.figures).decode()

    def to_html(self) -> str:
        """The report as one page of HTML, which needs no network and no script."""
        from .html.page import page  # noqa: PLC0415 (only for pages)

        return page(self.figures)

    def write_html(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the page into a file, which has its name when it is whole.

        Args:
            path: the file.
            overwrite: whether a file that is there is replaced.

        Raises:
            ExportError: it cannot be written, or is there already.
        """
        from ..exporting.new_file import new_file  # noqa: PLC0415 (only for files)

        with new_file(path, overwrite=overwrite) as new:
            new.path.write_text(self.to_html(), "utf-8")

    def gauges(self) -> Iterator[Gauge]:
        """The figures as numbers with attributes, for metrics."""
        from .gauges import gauges_of  # noqa: PLC0415 (only for metrics)

        return gauges_of(self.figures)
