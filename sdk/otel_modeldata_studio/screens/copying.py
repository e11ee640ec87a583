"""What Explore shows as lines that run: Python, SQL, and a command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from ..queries.copied_sql import copied_sql
from ..queries.filters import parse_filters
from ..queries.joined_rows import own_column
from .explored import explored

if TYPE_CHECKING:
    from ..studio import Studio

__all__ = ["CopyAnswer", "copy"]


class CopyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Three ways to get the rows that the page shows; secrets of the store's URL are left out."""

    python: str
    sql: str
    command: str


def copy(  # noqa: PLR0913 (most are keywords)
    studio: Studio,
    *,
    deployment: str,
    since: str | None = None,
    until: str | None = None,
    f: str | None = None,
    columns: tuple[str, ...] = (),
) -> CopyAnswer:
    """The rows of a window that all filters choose, as lines to copy.

    Raises:
        ReaderError: a wrong argument, or a filter that the joined rows do not have.
    """
    filters = parse_filters(f or "")
    names = (*columns, *(one.column for one in filters))
    found, _ = explored(studio, deployment, since, until, names)
    sql = copied_sql(deployment, found, [own_column(found, name) for name in columns], filters)
    url = studio.store.objects.shown
    window = {name: value for name, value in (("since", since), ("until", until)) if value}
    arguments = "".join(f", {name}={value!r}" for name, value in window.items())
    options = "".join(f" --{name}={shlex.quote(value)}" for name, value in window.items())
    # A statement has no window: `query` takes it beside the statement.
    note = f"-- of the window:{options}\n" if window else ""
    return CopyAnswer(
        python=(
            "import otel_modeldata_reader as reader\n\n"
            f"store = reader.open({url!r})\n"
            f"sql = {_python_text(sql)}\n"
            f"rows = store.query(sql{arguments}).to_pandas()\n"
        ),
        sql=f"{note}{sql}\n",
        command=f"otel-modeldata query {shlex.quote(sql)} --store {shlex.quote(url)}{options}",
    )


def _python_text(text: str) -> str:
    """A literal of several lines where it needs no escape."""
    if text.isprintable() or '"""' in text or "\\" in text or not text.replace("\n", "").isprintable():
        return repr(text)
    return f'"""\n{text}\n"""'
