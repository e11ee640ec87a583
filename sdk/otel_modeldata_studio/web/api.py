"""The paths below `/api/`, and the function of a screen that answers each."""

from __future__ import annotations

import functools
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from otel_modeldata_reader import ReaderError, StoreUnavailableError, UnknownNameError

from ..screens import copying, explore, feature, health, home, newest_rows, performance, request
from ..tables.cache_folder import CacheFullError
from .answers import answer, encoded, failure
from .parameters import Parameters
from .running import GoneError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from ..studio import Studio
    from .running import Runs
    from .settings import WebSettings

__all__ = ["api_routes"]

logger = logging.getLogger(__name__)

_ANSWERING: Final[dict[str, Callable[..., object]]] = {
    "about": home.about,
    "home": home.home,
    "columns": explore.columns,
    "volume": explore.volume,
    "facets": explore.facets,
    "rows": explore.rows,
    "copy": copying.copy,
    "newest": newest_rows.newest,
    "request": request.request,
    "feature": feature.feature,
    "performance": performance.performance,
    "health": health.health,
}
"""Each takes the Studio, and keywords that are the parameters of the URL."""
_CLIENT_CLOSED: Final = 499
"""As nginx calls a request whose client has gone; no one gets it."""


def api_routes(studio: Studio, settings: WebSettings, runs: Runs) -> list[Route]:
    """A route for each path."""
    return [
        Route(f"/api/{name}", _Path(function, studio, settings, runs).answer, methods=["GET"])
        for name, function in _ANSWERING.items()
    ]


class _Path:
    """Answers one path."""

    def __init__(self, function: Callable[..., object], studio: Studio, settings: WebSettings, runs: Runs) -> None:
        self._function = function
        self._parameters = Parameters(function)
        self._studio = studio
        self._settings = settings
        self._runs = runs

    async def answer(self, request: Request) -> Response:
        """The value as JSON, or what is wrong in one sentence."""
        try:
            given = self._parameters.read(request.query_params.multi_items())
            content = await self._runs.make(request, functools.partial(self._made, given))
        except GoneError:
            return Response(status_code=_CLIENT_CLOSED)
        except ReaderError as error:
            return failure(_status(error), str(error))
        except Exception:  # the edge: the page must say something
            logger.exception("Studio could not answer %s", request.url.path)
            return failure(HTTPStatus.INTERNAL_SERVER_ERROR, _BROKEN)
        if len(content) > self._settings.answer_bytes:
            return failure(
                HTTPStatus.BAD_REQUEST,
                f"expected an answer of at most {self._settings.answer_bytes:,} bytes, got {len(content):,}: choose "
                "fewer columns or rows",
            )
        return answer(content)

    def _made(self, given: dict[str, Any]) -> bytes:
        """In the thread, because to encode an answer takes as long as a query."""
        return encoded(self._function(self._studio, **given))


_BROKEN: Final = "expected an answer, got an error of Studio: look at the terminal where otel-modeldata studio runs"


def _status(error: ReaderError) -> int:
    if isinstance(error, UnknownNameError):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, CacheFullError):
        return HTTPStatus.INSUFFICIENT_STORAGE
    if isinstance(error, StoreUnavailableError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.BAD_REQUEST
