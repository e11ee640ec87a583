"""One request to a target: its headers, what is tried again, and when."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import virtual_time
from fastapi import Response
from model_server import serving

from otel_modeldata_reader.replaying import sender, target_of
from otel_modeldata_reader.replaying.pacing import Pacing
from otel_modeldata_reader.replaying.recorded_requests import RecordedRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_server import Received

    from otel_modeldata_reader.replaying.journal import Answer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def request(**fields: Any) -> RecordedRequest:
    given = {"key": "event-1", "correlation_id": "r", "traceparent": None, "time": 1, "rows": 1, "body": b"[{}]"}
    return RecordedRequest(**given | fields)


def send(url: str, *requests: RecordedRequest, timeout: float = 60.0, **target: Any) -> list[Answer]:
    async def main() -> list[Answer]:
        async with sender.client_session(timeout, 4) as session:
            one = sender.Sender(session, target_of(url, **target), Pacing(None), "f00")
            return [await one.send(each) for each in requests]

    return asyncio.run(main())


def answers(*statuses: int, **headers: str) -> Callable[[Received], Response]:
    """Answers with these statuses one after the other, then with the last one."""
    return lambda one: Response(b"[1]", status_code=statuses[min(one.number, len(statuses) - 1)], headers=headers)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_FIRST_PAUSE_SECONDS", 0.001)


def test_a_request_says_what_it_is_and_has_ids_of_its_own() -> None:
    with serving(lambda one: [1]) as server:
        send(server.url, request(), request(key="event-2", content_encoding="gzip", content_type="text/csv"))
        (first, second) = (dict(one.headers) for one in server.received)
    ids = [first["x-request-id"], second["x-request-id"]]
    assert ids[0] != ids[1]
    traces = [one.pop("traceparent").split("-") for one in (first, second)]
    assert [(len(trace), flags) for _, trace, _, flags in traces] == [(32, "00"), (32, "00")]
    assert traces[0][1] != traces[1][1]
    for headers, sent_id in zip((first, second), ids, strict=True):
        assert sent_id.startswith("replay-f00-")
        assert headers["x-ms-client-request-id"] == sent_id
        assert headers["baggage"] == f"azureml.correlation.id={sent_id}"
        assert headers["x-modeldata-replay"] == "f00"
        assert headers["user-agent"] == "otel-modeldata-replay"
    assert (first["content-type"], first.get("content-encoding")) == ("application/json", None)
    assert (second["content-type"], second["content-encoding"]) == ("text/csv", "gzip")


def test_headers_of_the_user_go_first() -> None:
    with serving(lambda one: [1]) as server:
        send(server.url, request(), headers={"x-request-id": "mine", "Authorization": "Bearer x"})
        (headers,) = (one.headers for one in server.received)
    assert (headers["x-request-id"], headers["authorization"]) == ("mine", "Bearer x")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_status_that_says_later_is_tried_again(status: int) -> None:
    with serving(answers(status, status, 200)) as server:
        (answer,) = send(server.url, request())
    assert (answer.status, answer.attempts, answer.content, answer.is_usable) == (200, 3, b"[1]", True)
    with serving(answers(status)) as server:
        (answer,) = send(server.url, request())
        assert len(server.received) == sender.ATTEMPTS
    assert (answer.status, answer.attempts, answer.is_usable) == (status, sender.ATTEMPTS, False)


@pytest.mark.parametrize("status", [307, 400, 401, 404, 422, 500])
def test_every_other_status_is_final_and_no_redirect_is_followed(status: int) -> None:
    with serving(answers(status, Location="http://127.0.0.1:1/")) as server:
        (answer,) = send(server.url, request())
        assert len(server.received) == 1
    assert (answer.status, answer.attempts, answer.is_usable) == (status, 1, False)


def test_what_is_no_answer_has_a_reason() -> None:
    with serving(lambda one: [1]) as server:
        pass
    (answer,) = send(server.url, request())
    assert (answer.status, answer.error, answer.attempts) == (None, "no connection", sender.ATTEMPTS)

    async def never(one: Received) -> None:
        await asyncio.sleep(1.0 if one.number else 0)

    with serving(never) as server:
        (*_, answer) = send(server.url, request(), request(), timeout=0.05)
        assert len(server.received) == 2
    assert (answer.status, answer.error, answer.attempts) == (None, "no answer in time", 1)


def test_an_answer_that_is_too_large_or_compressed_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_MOST_BYTES", 1 << 20)
    with serving(lambda one: Response(b"1" * ((1 << 20) + one.number))) as server:
        fits, above = send(server.url, request(), request())
    assert (fits.is_usable, len(fits.content)) == (True, 1 << 20)
    assert (above.is_usable, above.status, above.error, above.content) == (
        False,
        200,
        "an answer of more than 1 MiB",
        b"",
    )
    with serving(answers(200, **{"Content-Encoding": "gzip"})) as server:
        (answer,) = send(server.url, request())
    assert (answer.is_usable, answer.error) == (False, "a compressed answer, which was not asked for")
    assert answer.content == b""


def test_credentials_that_the_target_repeats_are_not_kept(tmp_path: Path) -> None:
    (tmp_path / "cookie").write_text("session=cookie-4711; theme=dark")
    secrets = {"Authorization": "Bearer token-4711", "x-mine": 'mine-"4711"', "x-plain": "plain-4711"}
    target = {"headers": secrets, "files": {"Cookie": str(tmp_path / "cookie")}, "secret": ["X-Mine"]}
    with serving(lambda one: {"headers": dict(one.headers), "path": one.path}) as server:
        (answer,) = send(f"{server.url}?code=azure%2F4711&version=20261122", request(), **target)
        (received,) = server.received
    assert (received.headers["authorization"], received.headers["x-mine"]) == ("Bearer token-4711", 'mine-"4711"')
    found = json.loads(answer.content)
    assert found["path"] == "/score?code=REDACTED&version=20261122"
    names = ("authorization", "x-mine", "cookie", "x-plain")
    assert [found["headers"][name] for name in names] == ["REDACTED", "REDACTED", "REDACTED", "plain-4711"]
    assert answer.content.count(b"4711") == 1


def test_a_recorded_path_that_is_none_is_not_sent() -> None:
    with serving(lambda one: [1]) as server:
        origin = server.url.removesuffix("/score")
        good, bad = send(origin, request(path="/v2/score?x=1"), request(path="@127.0.0.1:1/"))
        assert [one.path for one in server.received] == ["/v2/score?x=1"]
    assert (good.is_usable, bad.status, bad.attempts) == (True, None, 0)
    assert bad.error == "its recorded path is no path of a URL"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("7", 7),
        ("0", 0),
        ("-1", 0),
        ("1.5", 0),
        ("99999999999", 60),
        ("3600", 60),
        ("soon", 0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30),
        ("Sun, 99 Nov 2026 12:00:30 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_is_bounded(text: str, seconds: float) -> None:
    assert sender.retry_after({"Retry-After": text}, NOW) == seconds


def test_requests_begin_at_the_rate_and_not_while_the_target_asks_to_wait() -> None:
    async def main() -> list[float]:
        pacing, began = Pacing(10.0), []
        for number in range(6):
            if number == 3:
                pacing.pause(5.0)
            await pacing.turn()
            began.append(round(virtual_time.now(), 6))
        return began

    assert virtual_time.run(main()) == [0.0, 0.1, 0.2, 5.2, 5.2, 5.3]


def test_without_a_rate_requests_begin_at_once() -> None:
    async def main() -> float:
        pacing = Pacing(None)
        for _ in range(1000):
            await pacing.turn()
        return virtual_time.now()

    assert virtual_time.run(main()) == 0.0
