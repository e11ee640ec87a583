"""A request that goes on without a sender: who gets its answer, and for how long it is known."""

from __future__ import annotations

import asyncio

import pytest
from otlp_requests import record, request

from otel_modeldata_receiver.exceptions import StoreError, UndecodableError
from otel_modeldata_receiver.ingest import late_answers
from otel_modeldata_receiver.ingest.late_answers import LateAnswers
from otel_modeldata_receiver.ingest.request_info import RequestInfo
from otel_modeldata_receiver.mapping.request import decode
from otel_modeldata_receiver.mapping.signal import LOGS

pytestmark = pytest.mark.anyio

INFO = RequestInfo(signal=LOGS, transport="grpc")
ONE, OTHER = (decode(request(record(event_id=event_id, time_ns=1))) for event_id in ("1", "2"))


def begun(late: LateAnswers) -> tuple[asyncio.Task[bytes], asyncio.Future[bytes]]:
    """The work of a request whose sender gave up, and what it waits for."""
    gate: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def work() -> bytes:
        return await gate

    task = asyncio.create_task(work())
    late.add(ONE, INFO, task)
    return task, gate


async def test_the_same_request_gets_the_work_under_way_and_another_one_does_not() -> None:
    late = LateAnswers()
    task, gate = begun(late)
    assert late.find(OTHER, INFO) is None
    assert late.find(ONE, INFO) is task
    gate.set_result(b"")
    await task


async def test_an_answer_is_given_once_also_if_its_work_was_under_way() -> None:
    """A store may be restored afterwards: then the request must be stored again."""
    late = LateAnswers()
    task, gate = begun(late)
    assert late.find(ONE, INFO) is task
    gate.set_result(b"answer")
    assert await task == b"answer"
    late.add(ONE, INFO, task)  # the sender has its answer
    assert late.find(ONE, INFO) is None


async def test_a_sender_that_gives_up_again_finds_the_work_again() -> None:
    late = LateAnswers()
    task, gate = begun(late)
    assert late.find(ONE, INFO) is task
    late.add(ONE, INFO, task)
    gate.set_result(b"answer")
    await task
    assert late.find(ONE, INFO) is task
    assert late.find(ONE, INFO) is None


@pytest.mark.parametrize(("error", "known"), [(StoreError("down"), False), (UndecodableError("damaged"), True)])
async def test_only_an_answer_that_stays_true_is_given(error: Exception, *, known: bool) -> None:
    late = LateAnswers()
    task, gate = begun(late)
    gate.set_exception(error)
    await asyncio.wait([task])
    assert (late.find(ONE, INFO) is task) is known
    assert task.exception() is error


async def test_an_answer_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_answers, "KEPT_SECONDS", -1.0)
    late = LateAnswers()
    task, gate = begun(late)
    gate.set_result(b"")
    await task
    await asyncio.sleep(0)
    assert late.find(ONE, INFO) is None
