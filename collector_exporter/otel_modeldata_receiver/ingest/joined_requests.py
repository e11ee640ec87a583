"""Requests that go on together are stored as one, if they are of one collection and one sender.

Joined messages of Protocol Buffers are one message: that of the requests has the records of all of them. What a request
costs beside its records is several times what a small record costs, so requests of one record take less than half of
the time together.

Only whole messages are joined: the last field of a damaged one may be longer than its message, and would take the bytes
of the next one.

Nothing is decided here. A joined request is stored only if its records become lines of one folder, and each would in a
request of its own: then all answers are the same, also if the store fails. Otherwise, before anything of it is stored,
each of its requests goes on alone, as if it had never been joined: a bad record is rejected in the answer of its own
sender, a bound counts for each request, and none waits for a folder that it has no lines for. The requests of that
deployment go on alone for a while then, so that they are not mapped twice each time.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final

from ..exceptions import ReceiverError, StoreError
from ..mapping.bounds.outline import ALLOWANCE_BYTES
from ..mapping.protowire import Embedded, content_of, is_whole
from ..mapping.request import Decoded, decode
from .late_answers import pass_on

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from ..mapping.event import Outcome
    from ..mapping.outcomes import Mapped, Step
    from .bursts import Waiting
    from .late_answers import LateAnswers
    from .request_info import RequestInfo
    from .tenant_rates import AdmittedOnce
    from .turns import Turns

__all__ = ["JoinedRequests", "NotJoinedError", "joined_piece"]

_MOST_RESOURCES: Final = 64
"""Of a request that is joined to others."""
_MOST_BYTES: Final = 32 * 1024
"""Of joined requests: the lines of ordinary records, twice as large at most, are within what each request may have."""
_REST_SECONDS: Final = 0.1
_MOST_RESTING: Final = 1000
"""Deployments; senders choose their names."""


class NotJoinedError(ReceiverError):
    """Requests cannot be stored as one; nothing of them was stored."""


class JoinedRequests:
    """Begins to store the requests of a burst.

    Args:
        begin: begins to store one, and returns its answer, or raises a ReceiverError.
        late: those that go on without a sender.
    """

    def __init__(self, begin: Callable[[Decoded, RequestInfo], asyncio.Future[bytes]], late: LateAnswers) -> None:
        self._begin_one = begin
        self._late = late
        self._rest_until: dict[str, float] = {}
        """The deployments whose requests go on alone, and until when."""

    def begin(self, burst: Sequence[Waiting]) -> None:
        """Begin to store requests; what is raised is in their answers."""
        groups: dict[tuple[str, RequestInfo], list[tuple[Waiting, Decoded]]] = {}
        now = asyncio.get_running_loop().time()
        for one in burst:
            try:
                message = content_of(one.message)
                request = decode(message, one.signal)
                is_joined = (
                    request.tenant
                    and self._rest_until.get(request.tenant, 0.0) <= now
                    and is_whole(message, _MOST_RESOURCES)
                    and not self._late.has(one, one.info)
                )
            except Exception:  # noqa: BLE001 (error boundary: a bug costs only this request)
                is_joined = False
            if is_joined:
                groups.setdefault((request.tenant, one.info), []).append((one, request))
            else:
                self._begin_alone(one)
        for group in groups.values():
            for part in _parts(group):
                if len(part) > 1:
                    self._begin_joined(part)
                else:
                    self._begin_alone(part[0][0])

    def _begin_joined(self, group: Sequence[tuple[Waiting, Decoded]]) -> None:
        requests = [one for one, _ in group]
        by_resource = sorted(group, key=lambda one: one[1].first_resource.encoded)  # those of one are mapped together
        first = by_resource[0][1]
        message, end = b"".join([request.request for _, request in by_resource]), 0
        for one, _ in by_resource:
            start, end = end, end + len(one.message)
            one.message = Embedded(message, start, end)  # so that its bytes are in memory once
        joined = Decoded(
            request=message, signal=first.signal, first_resource=first.first_resource, callers=len(requests)
        )
        try:
            self._begin(joined, requests)
        except Exception:  # noqa: BLE001 (error boundary: a bound has room for some of them; each has its own error)
            for one in requests:
                self._begin_alone(one)

    def _begin_alone(self, one: Waiting) -> None:
        try:
            message = one.message = content_of(one.message)  # no longer all bytes of those it was joined to
            self._begin(decode(message, one.signal), (one,))
        except Exception as error:  # noqa: BLE001 (error boundary: the caller gets it)
            if not one.answer.done():
                one.answer.set_exception(error)
                one.answer.exception()  # marks it as retrieved, even if the call is given up at this moment

    def _begin(self, request: Decoded, waiting: Sequence[Waiting]) -> None:
        answer = self._begin_one(request, waiting[0].info)
        answer.add_done_callback(lambda _: self._pass_on(answer, waiting, request.tenant))
        for one in waiting:
            one.answer.add_done_callback(partial(self._remember, one, answer))

    def _remember(self, one: Waiting, answer: asyncio.Future[bytes], _: asyncio.Future[bytes]) -> None:
        self._late.add(one, one.info, answer)

    def _pass_on(self, answer: asyncio.Future[bytes], waiting: Sequence[Waiting], tenant: str) -> None:
        error = None if answer.cancelled() else answer.exception()
        if isinstance(error, NotJoinedError):
            self._let_rest(tenant)
        for one in waiting:
            if isinstance(error, NotJoinedError):
                self._begin_alone(one)
            elif isinstance(error, StoreError) and not one.answer.done():
                one.answer.set_exception(error.copy())
            else:
                pass_on(answer, one.answer)

    def _let_rest(self, tenant: str) -> None:
        if len(self._rest_until) >= _MOST_RESTING:
            self._rest_until.clear()
        self._rest_until[tenant] = asyncio.get_running_loop().time() + _REST_SECONDS


def _parts(group: Sequence[tuple[Waiting, Decoded]]) -> Iterator[Sequence[tuple[Waiting, Decoded]]]:
    """Requests that are not too large together."""
    part, size = list[tuple["Waiting", Decoded]](), 0
    for one in group:
        if part and size + one[1].size > _MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(one)
        size += one[1].size
    yield part


async def joined_piece(
    turns: Turns, steps: Generator[Step, Outcome | Exception | None, None], admitted: AdmittedOnce | None
) -> Mapped:
    """What joined requests become, if that is nothing but lines.

    Args:
        turns: the turns of the event loop.
        steps: their mapping.
        admitted: what it calls to admit them, if that is bounded.

    Raises:
        NotJoinedError: it is something else, or takes long.
    """
    piece = None
    with contextlib.suppress(Exception):  # error boundary: each request is mapped alone, and has its own error
        piece = await turns.piece(steps)
    if piece is not None and _is_stored_as_one(piece) and not (admitted is not None and admitted.is_in_debt):
        return piece
    if admitted is not None:
        admitted.undo()
    raise NotJoinedError("expected requests that are stored as one, got others; send again")


def _is_stored_as_one(piece: Mapped) -> bool:
    """Whether it is nothing but lines, of one folder, that take what each of its requests may take."""
    is_only_lines = not (piece.large or piece.rejected or piece.defects or piece.refused)
    return is_only_lines and len(piece.lines) == 1 and piece.line_bytes <= ALLOWANCE_BYTES
