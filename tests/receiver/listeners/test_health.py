"""Readiness follows the store, in both directions, without traffic; an outage is logged at its start and its end."""

from __future__ import annotations

import asyncio

import pytest
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from live_receiver import until

from otel_modeldata_receiver.exceptions import StoreCheckError, StoreError
from otel_modeldata_receiver.listeners.health import StoreHealth

pytestmark = pytest.mark.anyio


class Store:
    """Counts how often it was checked, and fails while it is broken."""

    def __init__(self) -> None:
        self.broken = False
        self.error: Exception = StoreCheckError("broken")
        self.checks = 0
        self.checked = asyncio.Event()

    async def check(self) -> None:
        self.checks += 1
        self.checked.set()
        if self.broken:
            raise self.error


async def status(servicer: health.aio.HealthServicer, service: str = "") -> str:
    answer = await servicer.Check(HealthCheckRequest(service=service), None)
    return str(HealthCheckResponse.ServingStatus.Name(answer.status))


async def until_status(servicer: health.aio.HealthServicer, expected: str) -> None:
    async def reached() -> bool:
        return await status(servicer) == expected

    await until(reached)


async def test_a_receiver_is_ready_until_a_write_fails_and_again_when_the_store_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, servicer = Store(), health.aio.HealthServicer()
    watched = StoreHealth(servicer, ("", "logs"), store.check, probe_seconds=0.001)
    await watched.start()
    assert (await status(servicer), await status(servicer, "logs")) == ("SERVING", "SERVING")

    store.broken = True
    for _ in range(3):
        watched.store_failed(StoreError("disk full"))
    await until_status(servicer, "NOT_SERVING")
    store.checked.clear()
    async with asyncio.timeout(60):
        await store.checked.wait()
    assert (await status(servicer), await status(servicer, "logs")) == ("NOT_SERVING", "NOT_SERVING")

    store.broken = False
    await until_status(servicer, "SERVING")
    assert await status(servicer, "logs") == "SERVING"
    assert caplog.messages == [
        "not ready: the store cannot be written: disk full",
        "ready again: the store can be written",
    ]

    store.broken = True
    watched.store_failed(StoreError("again"))
    await until_status(servicer, "NOT_SERVING")
    store.broken = False
    await until_status(servicer, "SERVING")
    await watched.stop()
    assert await status(servicer) == "NOT_SERVING"


async def test_a_healthy_store_is_never_probed() -> None:
    store, servicer = Store(), health.aio.HealthServicer()
    watched = StoreHealth(servicer, ("",), store.check, probe_seconds=0.001)
    await watched.start()
    await watched.stop()
    assert store.checks == 0


async def test_stopping_ends_the_probe_and_stays_not_ready(caplog: pytest.LogCaptureFixture) -> None:
    store, servicer = Store(), health.aio.HealthServicer()
    store.broken = True
    watched = StoreHealth(servicer, ("",), store.check, probe_seconds=0.001)
    await watched.start()
    watched.store_failed(StoreError("down"))
    await until_status(servicer, "NOT_SERVING")
    await watched.stop()
    await watched.stop()
    watched.store_failed(StoreError("still down for a call under way"))
    store.broken = False
    await watched.start()
    assert await status(servicer) == "NOT_SERVING"
    assert caplog.messages == ["not ready: the store cannot be written: down"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StoreCheckError("broken"), "broken"),
        (IndexError("a bug"), "expected to check the store, got an internal error: its log line has the cause"),
    ],
)
async def test_a_store_that_is_gone_without_traffic_is_noticed_and_its_return_too(
    error: Exception, reason: str
) -> None:
    store, servicer = Store(), health.aio.HealthServicer()
    store.error = error
    watched = StoreHealth(servicer, ("",), store.check, probe_seconds=0.001, idle_seconds=0.001)
    assert watched.reason == "starting"
    await watched.start()
    assert watched.reason is None
    store.broken = True
    await until_status(servicer, "NOT_SERVING")
    assert watched.reason == f"the store cannot be written: {reason}"
    store.broken = False
    await until_status(servicer, "SERVING")
    assert watched.reason is None
    await watched.stop()
    assert watched.reason == "stopping"
