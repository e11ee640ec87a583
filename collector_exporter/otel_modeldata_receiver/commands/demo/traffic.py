"""The client of the demo's service: one request for each flight, and the landings when they are known."""

from __future__ import annotations

import http.client
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .exceptions import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .flights import Flight
    from .service_clock import ServiceClock

__all__ = ["Client", "Request"]

_REQUEST_SECONDS: Final = 60.0
_MOST_SHOWN: Final = 200
_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as its client saw it.

    Attributes:
        id: the correlation id, which the client chose.
        trace_id: of the trace that the client began.
        flight: what was sent.
        answer: of the model.
    """

    id: str
    trace_id: str
    flight: Flight
    answer: dict[str, Any]


class Client:
    """Sends requests over one connection.

    Args:
        port: of the service on loopback.
        clock: of the service.
        run: makes the ids of this run different from those of others in the same store.
    """

    def __init__(self, port: int, clock: ServiceClock, run: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_REQUEST_SECONDS)
        self._clock = clock
        self._run = run
        self._count = 0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def score(self, flight: Flight) -> Request:
        """Send a flight when it departs, as a traced service does: with its trace, and a correlation id in the baggage.

        Raises:
            ServiceError: it was not answered with 200.
        """
        request_id = f"{flight.row['flight']}-{self._count:04d}-{self._run}"
        self._count += 1
        trace_id = os.urandom(16).hex()
        headers = {
            "X-Request-Id": request_id,
            "Baggage": f"azureml.correlation.id={request_id}",
            "Traceparent": f"00-{trace_id}-{os.urandom(8).hex()}-01",
        }
        self._clock.set(flight.departed)
        answer = json.loads(self._post("/score", flight.row, headers))
        return Request(id=request_id, trace_id=trace_id, flight=flight, answer=answer)

    def report_landings(self, requests: Sequence[Request]) -> None:
        """Send what became of flights.

        Raises:
            ServiceError: it was not answered with 200.
        """
        landings = [
            {"row_id": f"{one.id}_0", "label": one.flight.late, "label_time": one.flight.landed.isoformat()}
            for one in requests
            if one.flight.landed is not None
        ]
        self._post("/landed", landings, {})

    def _post(self, path: str, content: object, headers: dict[str, str]) -> bytes:
        try:
            self._connection.request("POST", path, json.dumps(content), {"Content-Type": "application/json", **headers})
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServiceError(type(error).__name__) from None
        if response.status not in _OK:
            raise ServiceError(f"status {response.status}, {body[:_MOST_SHOWN].decode('utf-8', 'replace')!r}")
        return body
