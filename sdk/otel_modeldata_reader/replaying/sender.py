"""Sends one request to the target, again where that may help, and returns its answer.

A status that says "later" (429, 502, 503, 504) and a connection that ends are tried again, with growing pauses or after
the `Retry-After` of the answer, which holds up all other requests, too. Every other answer is final. So is none in
time: the target may be at work on it, and would do it again. Redirects are not followed: they would take credentials to
another host. Credentials that the target repeats are not kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import aiohttp

from otel_modeldata import semconv

from .journal import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .pacing import Pacing
    from .recorded_requests import RecordedRequest
    from .target import Target

__all__ = ["ATTEMPTS", "Sender", "client_session", "retry_after"]

ATTEMPTS: Final = 5
"""How often a request is sent at most."""
_LATER: Final = frozenset({429, 502, 503, 504})
_PAUSE_ALL: Final = frozenset({429, 503})
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 60.0
"""Also of a `Retry-After`."""
_MOST_BYTES: Final = 16 << 20
"""Of one answer."""
_READ_BYTES: Final = 1 << 16
_MARK_HEADER: Final = "x-modeldata-replay"


def client_session(timeout: float, concurrency: int) -> aiohttp.ClientSession:
    """The connections of a replay.

    Args:
        timeout: seconds until an answer must be complete.
        concurrency: how many connections there may be.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency),
        timeout=aiohttp.ClientTimeout(total=timeout),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "otel-modeldata-replay"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


class Sender:
    """Sends requests.

    Args:
        session: the connections.
        target: where to.
        pacing: of all requests.
        run: the id of the replay, which marks its requests.
    """

    def __init__(self, session: aiohttp.ClientSession, target: Target, pacing: Pacing, run: str) -> None:
        self._session = session
        self._target = target
        self._pacing = pacing
        self._run = run

    async def send(self, request: RecordedRequest) -> Answer:
        """The last answer to a request; one without a status if there was none.

        Raises:
            ReplayError: a header has no value any more.
        """
        sent_id = f"replay-{self._run}-{hashlib.sha256(request.key.encode(errors='replace')).hexdigest()[:16]}"
        url = self._target.at(request.path)
        if url is None:
            return Answer(sent_id=sent_id, error="its recorded path is no path of a URL")
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            await self._pacing.turn()
            answer, later = await self._try(url, request, sent_id, attempt)
            if later is None or attempt == ATTEMPTS:
                break
            wait = later or pause * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            if answer.status in _PAUSE_ALL:
                self._pacing.pause(wait)
            else:
                await asyncio.sleep(wait)
        return answer

    async def _try(self, url: str, request: RecordedRequest, sent_id: str, attempt: int) -> tuple[Answer, float | None]:
        """An answer, and after how many seconds to try again: 0 if that is open, None if the answer is final."""
        loop = asyncio.get_running_loop()
        headers = {**self._headers(request, sent_id), **self._target.current_headers()}
        began = loop.time()
        try:
            async with self._session.post(url, data=request.body, headers=headers, allow_redirects=False) as response:
                content = await _read(response)
                latency = (loop.time() - began) * 1000
                status, encoding = response.status, response.headers.get("Content-Encoding", "identity")
                later = retry_after(response.headers, datetime.now(timezone.utc)) if status in _LATER else None
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            is_late = isinstance(error, asyncio.TimeoutError) and not isinstance(error, aiohttp.ClientConnectionError)
            return Answer(sent_id=sent_id, error=_reason(error), attempts=attempt), None if is_late else 0.0
        error_text = None
        if content is None:
            error_text = f"an answer of more than {_MOST_BYTES >> 20} MiB"
        elif encoding != "identity":
            error_text = "a compressed answer, which was not asked for"
            content = None  # what it repeats cannot be seen
        answer = Answer(
            sent_id=sent_id,
            status=status,
            error=error_text,
            attempts=attempt,
            latency_ms=latency,
            content=self._target.kept(content or b"", headers),
        )
        return answer, later

    def _headers(self, request: RecordedRequest, sent_id: str) -> Mapping[str, str]:
        """What says what the body is, and what marks the request as one of a replay, with ids of its own."""
        headers = {
            "Content-Type": request.content_type,
            "traceparent": f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00",
            "baggage": f"{semconv.AZUREML_CORRELATION_ID}={sent_id}",
            "x-request-id": sent_id,
            "x-ms-client-request-id": sent_id,
            _MARK_HEADER: self._run,
        }
        if request.content_encoding is not None:
            headers["Content-Encoding"] = request.content_encoding
        return headers


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """The seconds of a `Retry-After` (RFC 9110 section 10.2.3), bounded; 0 without a valid one."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 20:
        seconds = float(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return 0.0
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        seconds = (moment - now).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_PAUSE_SECONDS)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The body of an answer; None if it is too large."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(_READ_BYTES):
        content += chunk
        if len(content) > _MOST_BYTES:
            response.close()
            return None
    return bytes(content)


def _reason(error: Exception) -> str:
    """Why there is no answer, in few words, so that equal reasons are counted together."""
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "no trusted certificate"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection"
    if isinstance(error, aiohttp.InvalidURL):
        return "no URL"
    return "the connection ended"
