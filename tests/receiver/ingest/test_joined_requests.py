"""Requests of a burst are stored as one where all of their records become lines; else each is answered for itself."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from held_pipeline import FULL_SUCCESS, INPUTS, LOGS_BY_GRPC, OUTPUTS, Fixture, fixture, inputs
from local_blobs import blobs_below
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from otlp_requests import NOON, record, request

from otel_modeldata import semconv
from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.exceptions import OverloadedError, StoreError
from otel_modeldata_receiver.ingest import bursts, joined_requests
from otel_modeldata_receiver.mapping.protowire import field

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from otel_modeldata_receiver.mapping.request import Decoded

pytestmark = pytest.mark.anyio

OTHER = {semconv.AZUREML_ENDPOINT_NAME: "fraud", semconv.AZUREML_DEPLOYMENT_NAME: "green"}
BAD = request(record("no rows", event_id="bad", time_ns=NOON))


def small(name: str) -> bytes:
    return request(*inputs(name))


async def receive(made: Fixture, message: bytes) -> ExportLogsServiceResponse:
    async def read() -> bytes:
        return message

    return ExportLogsServiceResponse.FromString(await made.pipeline.receive(read, LOGS_BY_GRPC))


class Burst:
    """The calls of a burst, and how many requests they were stored as."""

    def __init__(self, made: Fixture) -> None:
        self.made = made
        self.calls: list[asyncio.Task[ExportLogsServiceResponse]] = []
        self.begun: list[int] = []
        self.joined: joined_requests.JoinedRequests

    async def send(self, *messages: bytes) -> None:
        """Send requests that go on together, and wait until they are being stored."""
        self.calls = [asyncio.create_task(receive(self.made, message)) for message in messages]
        while sum(self.begun) < len(messages):  # noqa: ASYNC110 (it has no event)
            await asyncio.sleep(0)

    async def send_later(self, *messages: bytes) -> None:
        """Send another burst, after the answers to the one before."""
        self.begun.clear()
        self.made.store.open.clear()
        self.made.pipeline._admission.requests += 4  # as if some were being stored again
        await self.send(*messages)
        self.made.pipeline._admission.requests -= 4

    async def outcomes(self) -> Sequence[ExportLogsServiceResponse | BaseException]:
        """Let the store answer; what each call returned or raised."""
        self.made.store.open.set()
        return await asyncio.gather(*self.calls, return_exceptions=True)


@asynccontextmanager
async def burst(
    folder: Path, monkeypatch: pytest.MonkeyPatch, size: int, held: str = "held", **settings: Any
) -> AsyncIterator[Burst]:
    """Four requests that are being stored, while which the next ones wait until there are `size`."""
    monkeypatch.setattr(bursts, "_MOST_REQUESTS", size)
    monkeypatch.setattr(bursts, "_SECONDS", 3600.0)
    async with fixture(folder, **settings) as made:
        one = Burst(made)
        begin = made.pipeline._begin

        def counted(request: Decoded, *more: Any) -> asyncio.Future[bytes]:
            answer = begin(request, *more)
            one.begun.append(request.callers)
            return answer

        joined = joined_requests.JoinedRequests(counted, made.pipeline._late)  # type: ignore[arg-type]
        made.pipeline._bursts, one.joined = bursts.Bursts(joined.begin), joined
        made.store.open.clear()
        before = [
            asyncio.create_task(receive(made, request(record(event_id=f"{held}{n}", collection=held, time_ns=NOON))))
            for n in range(4)
        ]
        while len(made.pipeline._tasks) < len(before):  # noqa: ASYNC110 (see above)
            await asyncio.sleep(0)
        yield one
        made.store.open.set()
        assert await asyncio.gather(*before) == [FULL_SUCCESS] * 4
        assert (made.pipeline.in_flight_bytes, made.pipeline._admission.requests) == (0, 0)


async def test_requests_of_one_deployment_are_stored_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}" for number in range(5)]
    async with burst(tmp_path, monkeypatch, 5) as one:
        await one.send(*map(small, names))
        assert await one.outcomes() == [FULL_SUCCESS] * 5
        assert (one.begun, one.made.ids(INPUTS)) == ([5], names)


async def test_while_requests_are_stored_as_one_each_of_them_counts_for_those_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with burst(tmp_path, monkeypatch, 5) as one:
        await one.send(*(small(f"{number}") for number in range(5)))
        assert one.made.pipeline._admission.requests == 4 + 5
        assert await one.outcomes() == [FULL_SUCCESS] * 5


@pytest.mark.parametrize("collections", [("model_inputs",), ("model_inputs", "model_outputs")])
async def test_records_of_several_resources_are_in_their_own_lines_and_only_those_of_one_collection_go_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collections: tuple[str, ...]
) -> None:
    def sent(number: int) -> bytes:
        producer = {
            semconv.AZUREML_ENDPOINT_NAME: "credit",
            semconv.AZUREML_DEPLOYMENT_NAME: "blue",
            semconv.SERVICE_INSTANCE_ID: f"pod {number % 2}",
        }
        collection = collections[number // 2 % len(collections)]
        return request(record(event_id=str(number), collection=collection, time_ns=NOON), resource_values=producer)

    async with burst(tmp_path, monkeypatch, 4) as one:
        await one.send(*map(sent, range(4)))
        assert await one.outcomes() == [FULL_SUCCESS] * 4
        assert one.begun == ([4] if len(collections) == 1 else [4, 1, 1, 1, 1])
        found = [{(line["id"], line["producer"]) for line in one.made.lines(folder)} for folder in (INPUTS, OUTPUTS)]
        first, second = {("0", "pod 0"), ("1", "pod 1")}, {("2", "pod 0"), ("3", "pod 1")}
        assert found == ([first | second, set()] if len(collections) == 1 else [first, second])


async def test_a_bad_record_is_rejected_in_the_answer_of_its_own_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with burst(tmp_path, monkeypatch, 3) as one:
        await one.send(small("a"), BAD, small("b"))
        answers = await one.outcomes()
        assert one.begun == [3, 1, 1, 1]
        assert [answers[0], answers[2]] == [FULL_SUCCESS] * 2
        assert answers[1].partial_success.rejected_log_records == 1  # type: ignore[union-attr]
        assert one.made.ids(INPUTS) == ["a", "b"]
        assert one.made.pipeline.totals.quarantined == 1


async def test_records_without_ids_beside_a_bad_one_are_stored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with burst(tmp_path, monkeypatch, 2) as one:
        await one.send(request(record(time_ns=NOON)), BAD)
        await one.outcomes()
        assert len(one.made.ids(INPUTS)) == 1


async def test_an_outage_of_the_place_of_one_deployment_fails_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with burst(tmp_path, monkeypatch, 4) as one:
        others = [request(*inputs(name), resource_values=OTHER) for name in ("c", "d")]
        one.made.store.failing.add(INPUTS.replace("credit/blue", "fraud/green"))
        await one.send(small("a"), others[0], small("b"), others[1])
        answers = await one.outcomes()
        assert one.begun == [2, 2]
        assert [answers[0], answers[2]] == [FULL_SUCCESS] * 2
        assert isinstance(answers[1], StoreError)
        assert isinstance(answers[3], StoreError)
        assert answers[1] is not answers[3]


@pytest.mark.parametrize("cut", ["resource", "number", "tag"])
async def test_a_damaged_request_takes_no_bytes_of_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    good = small("b")
    damaged = small("a")
    if cut == "resource":  # its length says that it ends where the next request does
        damaged = field(1, damaged[3:] + good)[: -len(good)]
    elif cut == "number":  # an unknown field, whose length is that of the next request
        damaged += bytes([0x7A, len(good) & 0x7F | 0x80, len(good) >> 7])
    else:
        damaged += b"\x7a"
    async with burst(tmp_path, monkeypatch, 3) as one:
        await one.send(damaged, good, small("c"))
        answers = await one.outcomes()
        assert answers[1:] == [FULL_SUCCESS] * 2
        assert one.begun == [1, 2]
        assert sorted(one.made.ids(INPUTS)) == ["b", "c"]
    (kept,) = [json.loads(line) for line in blobs_below(tmp_path / "_quarantine").values()]
    assert base64.b64decode(kept["request"]) == damaged


async def test_one_that_comes_twice_is_stored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with burst(tmp_path, monkeypatch, 3) as one:
        await one.send(small("a"), small("b"), small("a"))
        assert await one.outcomes() == [FULL_SUCCESS] * 3
        assert (one.begun, one.made.ids(INPUTS)) == ([3], ["a", "b"])


async def test_what_is_too_much_together_is_admitted_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(small("a"))
    budget = 4 * len(request(record(event_id="held0", collection="held", time_ns=NOON))) + size + size // 2
    async with burst(tmp_path, monkeypatch, 2, max_in_flight_bytes=budget) as one:
        monkeypatch.setattr("otel_modeldata_receiver.ingest.admission._SHARE", 1000)
        calls = [asyncio.create_task(receive(one.made, small(name))) for name in ("a", "b")]
        with pytest.raises(OverloadedError):
            await calls[1]
        one.made.store.open.set()
        assert await calls[0] == FULL_SUCCESS
        assert (one.begun, one.made.ids(INPUTS)) == ([1], ["a"])


async def test_a_rate_counts_each_request_once_also_beside_a_bad_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = LimitsConfig(records_per_second=10)
    async with burst(tmp_path, monkeypatch, 3, limits=limits) as one:
        rates = one.made.pipeline._rates
        rates._clock = lambda: 0.0
        rates._accounts.clear()
        await one.send(small("a"), BAD, small("b"))
        await one.outcomes()
        assert rates._account("credit/blue").levels["records_per_second"] == 100 - 4 - 3


async def test_a_request_past_its_deadline_that_is_sent_again_gets_the_answer_of_the_joined_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_id = request(record(time_ns=NOON))
    async with burst(tmp_path, monkeypatch, 2) as one:
        await one.send(without_id, small("b"))
        one.calls[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await one.calls[0]
        one.calls[0] = asyncio.create_task(one.made.accept(without_id))
        await asyncio.sleep(0)
        assert await one.outcomes() == [FULL_SUCCESS] * 2
        assert len(one.made.ids(INPUTS)) == 2


async def test_one_whose_sender_gave_up_before_goes_on_alone_and_gets_that_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_id = request(record(time_ns=NOON))
    async with burst(tmp_path, monkeypatch, 2) as one:
        first = asyncio.create_task(one.made.accept(without_id))
        while len(one.made.pipeline._tasks) < 5:  # noqa: ASYNC110 (see above)
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        await one.send(without_id, small("b"))
        assert await one.outcomes() == [FULL_SUCCESS] * 2
        assert (one.begun, len(one.made.ids(INPUTS))) == ([1, 1], 2)


def with_other(message: bytes, name: str) -> bytes:
    """A request that has a record of another deployment, too."""
    return message + request(*inputs(name), resource_values=OTHER)


async def test_a_request_that_has_records_of_another_deployment_waits_for_its_store_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with burst(tmp_path, monkeypatch, 3) as one:
        one.made.store.failing.add(INPUTS.replace("credit/blue", "fraud/green"))
        await one.send(small("a"), with_other(small("b"), "c"), small("d"))
        answers = await one.outcomes()
        assert one.begun == [3, 1, 1, 1]
        assert [answers[0], answers[2]] == [FULL_SUCCESS] * 2
        assert isinstance(answers[1], StoreError)


async def test_a_folder_that_takes_no_lines_fails_no_request_for_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = request(record(event_id="b", collection="model_outputs", time_ns=NOON))
    async with burst(tmp_path, monkeypatch, 2) as one:
        one.made.store.failing.add(OUTPUTS)
        await one.send(small("a"), outputs)
        answers = await one.outcomes()
        assert (answers[0], one.begun, one.made.ids(INPUTS)) == (FULL_SUCCESS, [2, 1, 1], ["a"])
        assert isinstance(answers[1], StoreError)


async def test_the_bound_on_bytes_of_lines_is_that_of_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = {
        semconv.AZUREML_ENDPOINT_NAME: "credit",
        semconv.AZUREML_DEPLOYMENT_NAME: "blue",
        semconv.SERVICE_INSTANCE_ID: "p" * 2000,
    }
    tiny = [record("[]", event_id=f"{number}", time_ns=NOON) for number in range(60)]
    growing = request(*tiny, resource_values=producer)
    room = request(record('[{"text":"' + "t" * 20_000 + '"}]', event_id="room", time_ns=NOON))
    limits = LimitsConfig(max_growth=2.0)
    async with burst(tmp_path, monkeypatch, 2, limits=limits) as one:
        await one.send(room, growing)
        answers = await one.outcomes()
        assert (one.begun, answers[0]) == ([2, 1, 1], FULL_SUCCESS)
        rejected = answers[1].partial_success.rejected_log_records  # type: ignore[union-attr]
        assert (rejected, len(one.made.ids(INPUTS))) == (60 + 1 - len(one.made.ids(INPUTS)), 61 - rejected)
        assert rejected > 0


async def test_a_rate_refuses_those_of_a_burst_that_it_would_refuse_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with burst(tmp_path, monkeypatch, 4, limits=LimitsConfig(records_per_second=1)) as one:
        rates = one.made.pipeline._rates
        rates._clock = lambda: 0.0
        rates._accounts.clear()
        rates._account("credit/blue").levels["records_per_second"] = 4.0 + 2.0
        await one.send(*map(small, "abcd"))
        answers = await one.outcomes()
        assert (answers[:2], one.made.ids(INPUTS)) == ([FULL_SUCCESS] * 2, ["a", "b"])
        assert [type(answer) for answer in answers[2:]] == [OverloadedError] * 2


async def test_requests_that_are_large_together_are_joined_to_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def large(name: str) -> bytes:
        return request(record('[{"text":"' + "t" * 12_000 + '"}]', event_id=name, time_ns=NOON))

    async with burst(tmp_path, monkeypatch, 5) as one:
        await one.send(*map(large, "abcde"))
        assert await one.outcomes() == [FULL_SUCCESS] * 5
        assert one.begun == [2, 2, 1]


async def test_after_some_that_could_not_be_joined_the_requests_of_the_deployment_go_on_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with burst(tmp_path, monkeypatch, 2) as one:
        await one.send(small("a"), BAD)
        await one.outcomes()
        for joined in ([1, 1], [2]):
            await one.send_later(small(f"b{joined}"), small(f"c{joined}"))
            assert await one.outcomes() == [FULL_SUCCESS] * 2
            assert one.begun == joined
            one.joined._rest_until["credit/blue"] = 0.0


async def test_those_that_go_on_alone_do_so_in_the_order_of_their_arrival(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_pod(number: int) -> bytes:
        producer = {
            semconv.AZUREML_ENDPOINT_NAME: "credit",
            semconv.AZUREML_DEPLOYMENT_NAME: "blue",
            semconv.SERVICE_INSTANCE_ID: f"pod {number}",
        }
        return request(record(event_id=str(number), time_ns=NOON), resource_values=producer)

    async with burst(tmp_path, monkeypatch, 4) as one:
        await one.send(of_pod(3), of_pod(2), BAD, of_pod(1))
        await one.outcomes()
        assert one.made.ids(INPUTS) == ["3", "2", "1"]


@pytest.mark.parametrize("failing", ["decode", "is_whole"])
async def test_an_internal_error_before_requests_are_joined_costs_none_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    real = getattr(joined_requests, failing)
    met: list[bytes] = []

    def once(message: bytes, *more: Any) -> Any:
        met.append(message)
        if len(met) == 2:
            raise KeyError
        return real(message, *more)

    async with burst(tmp_path, monkeypatch, 3) as one:
        monkeypatch.setattr(joined_requests, failing, once)
        await one.send(*map(small, "abc"))
        assert await one.outcomes() == [FULL_SUCCESS] * 3
        assert (one.begun, sorted(one.made.ids(INPUTS))) == ([1, 2], ["a", "b", "c"])
