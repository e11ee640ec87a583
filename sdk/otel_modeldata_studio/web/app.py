"""The application: the page, what it asks, and what it listens to, behind the middleware that says who may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from .access import Access
from .api import api_routes
from .live import Live
from .page_files import page_routes
from .running import Runs

if TYPE_CHECKING:
    from ..studio import Studio
    from .settings import WebSettings

__all__ = ["StudioApp", "studio_app"]


class StudioApp(Starlette):
    """The application of a Studio; `end_streams` lets its server stop."""

    def __init__(self, studio: Studio, settings: WebSettings) -> None:
        self._runs = Runs(settings)
        self._live = Live(studio, settings)
        super().__init__(
            routes=[*api_routes(studio, settings, self._runs), self._live.route(), *page_routes()],
            middleware=[Middleware(Access, settings=settings)],
        )

    def end_streams(self) -> None:
        """End live streams and what is being answered."""
        self._live.close()
        self._runs.close()


def studio_app(studio: Studio, settings: WebSettings) -> StudioApp:
    """The application for a store that is open.

    Args:
        studio: the store, its tables and its catalog; the caller closes it.
        settings: who may ask, and how much one answer may take.
    """
    return StudioApp(studio, settings)
