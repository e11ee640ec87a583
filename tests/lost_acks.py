"""A network that loses acknowledgments: requests reach the receiver, its answers do not reach the sender."""

from __future__ import annotations

import threading
from concurrent import futures
from typing import TYPE_CHECKING, Self

import grpc

from otlp_sender import LOGS, SEND_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_LIMIT = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
_METHOD = LOGS.rpartition("/")[2]
_SERVICE = LOGS.split("/")[1]


class LostAcks:
    """Stands in front of a receiver at `upstream`; the first `most` answers get lost."""

    def __init__(self, upstream: str, most: float = float("inf")) -> None:
        self.most = most
        self.lost = 0
        self._changed = threading.Condition()
        self._channel = grpc.insecure_channel(upstream, options=_NO_LIMIT)
        self._export: Callable[..., bytes] = self._channel.unary_unary(LOGS)
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=_NO_LIMIT)
        handler = grpc.unary_unary_rpc_method_handler(self._forward)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: handler}),))
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=None).wait()
        self._channel.close()

    def wait_until_lost(self, count: int) -> None:
        """Return when so many answers got lost."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.lost >= count, SEND_SECONDS), f"{self.lost} of {count} lost"

    def _forward(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            answer = self._export(request, timeout=SEND_SECONDS)
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata() or ())
            context.abort(error.code(), error.details() or "")
            raise
        with self._changed:
            loses = self.lost < self.most
            self.lost += loses
            self._changed.notify_all()
        if loses:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the answer got lost")
        return answer
