"""The files of the page, read once: a path in a URL is looked up, and never becomes a path of this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.routing import Route

from otel_modeldata_reader.reporting.html.theme import theme_of_page

from .answers import failure

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["page_routes"]

_PAGE: Final = Path(__file__).parent.parent / "page"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def page_routes() -> list[Route]:
    """The routes of the page's files; every other path is one that does not exist."""
    files = {
        path.relative_to(_PAGE).as_posix(): (path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(_PAGE.rglob("*"))
        if path.suffix in _TYPES and path.is_file()
    }
    files["theme.css"] = (theme_of_page().encode(), _TYPES[".css"])
    files[""] = files["index.html"]
    return [Route("/{name:path}", _Files(files).answer, methods=["GET"])]


class _Files:
    """Answers with files in memory; a browser asks each time, and gets what has changed."""

    def __init__(self, files: dict[str, tuple[bytes, str]]) -> None:
        self._files = {
            name: (content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
            for name, (content, kind) in files.items()
        }

    async def answer(self, request: Request) -> Response:
        """The file, or that the browser has it."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            return failure(404, "expected a path of Studio, got another: open its first page")
        content, kind, tag = found
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers | {"content-type": kind})
