"""Bytes in flight stay within the budget, and no tenant can use up the room of the others."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_receiver.exceptions import OverloadedError
from otel_modeldata_receiver.ingest import admission
from otel_modeldata_receiver.ingest.admission import Admission

BUDGET = 1000


def admitted(gate: Admission, tenant: str, size: int) -> bool:
    try:
        gate.admit(tenant, size)
    except OverloadedError:
        return False
    return True


def fill(gate: Admission, tenant: str, size: int = 10) -> int:
    """Admit until refused; return the number of admitted bytes."""
    count = 0
    while admitted(gate, tenant, size):
        count += size
    return count


def test_a_tenant_alone_gets_four_fifths_and_the_next_one_always_finds_room() -> None:
    gate = Admission(BUDGET)
    assert fill(gate, "noisy") == 800
    assert fill(gate, "quiet") > 100
    assert gate.in_flight_bytes < BUDGET


def test_busy_tenants_end_with_equal_shares_of_the_budget() -> None:
    gate = Admission(BUDGET)
    held = {"a": fill(gate, "a"), "b": fill(gate, "b"), "c": fill(gate, "c")}
    for _ in range(2000):  # each request is resolved in turn, and its tenant tries to send two new ones
        for tenant in list(held):
            if held[tenant]:
                gate.release(tenant, 10)
                held[tenant] -= 10
            for _ in range(2):
                held[tenant] += 10 * admitted(gate, tenant, 10)
    fair = BUDGET * 4 / 13
    assert all(0.85 * fair <= size <= 1.15 * fair for size in held.values()), held


def test_one_request_of_any_size_is_admitted_where_its_tenant_holds_nothing() -> None:
    gate = Admission(BUDGET)
    gate.admit("large", BUDGET)
    assert not admitted(gate, "other", 1)
    gate.release("large", BUDGET)
    gate.admit("other", 1)
    gate.admit("large", BUDGET - 1)


def test_a_refusal_names_the_bounds_and_the_tenant() -> None:
    gate = Admission(BUDGET)
    gate.admit("credit/blue", 800)
    with pytest.raises(
        OverloadedError,
        match=re.escape(
            "expected at most 4 times the free room (199 bytes) in flight for 'credit/blue', got 1 more on top of 800: "
            "the rest is kept for other deployments; send again in a moment"
        ),
    ):
        gate.admit("credit/blue", 1)
    with pytest.raises(
        OverloadedError,
        match="expected at most 1000 bytes and 20000 requests in flight, got 201 more on top of 800 in 1 requests",
    ):
        gate.admit("other", 201)


def test_the_number_of_requests_is_bounded_however_small_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_REQUESTS", 3)
    gate = Admission(BUDGET)
    assert [admitted(gate, "a", 1) for _ in range(4)] == [True, True, True, False]
    assert not admitted(gate, "b", 1)
    gate.release("a", 1)
    assert admitted(gate, "b", 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400), st.booleans())))
def test_the_budget_is_never_exceeded_and_all_bytes_are_released(
    steps: list[tuple[str, int, bool]],
) -> None:
    gate = Admission(BUDGET)
    held: list[tuple[str, int]] = []
    for tenant, size, leaves in steps:
        if leaves and held:
            gate.release(*held.pop(size % len(held)))
        elif admitted(gate, tenant, size):
            held.append((tenant, size))
        else:
            free = BUDGET - gate.in_flight_bytes
            mine = sum(other for name, other in held if name == tenant)
            assert free < size or (mine and mine + size > 4 * (free - size))
        assert gate.in_flight_bytes == sum(size for _, size in held) <= BUDGET
    for one in held:
        gate.release(*one)
    assert (gate.in_flight_bytes, gate._tenants, gate.requests) == (0, {}, 0)


@pytest.mark.anyio
async def test_lines_of_one_tenant_that_are_far_larger_than_their_requests_leave_room_for_others() -> None:
    gate = Admission(BUDGET)
    gate.admit("noisy", 100)
    async with gate.growth("noisy", 10 * BUDGET), gate.growth("noisy", BUDGET):
        assert gate.in_flight_bytes == 800
        assert not admitted(gate, "noisy", 10)
        assert admitted(gate, "quiet", 10)
        gate.release("quiet", 10)
    gate.release("noisy", 100)
    assert gate.in_flight_bytes == 0
    assert fill(gate, "noisy") == 800


@pytest.mark.anyio
async def test_large_lines_are_stored_one_request_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "LARGE_GROWTH_BYTES", 10)
    gate = Admission(BUDGET)
    under_way: list[int] = []
    most: list[int] = []

    async def store(size: int) -> None:
        async with gate.growth("noisy", size):
            under_way.append(size)
            most.append(len(under_way))
            await asyncio.sleep(0)
            under_way.remove(size)

    await asyncio.gather(*(store(size) for size in (11, 12, 13)))
    assert most == [1, 1, 1]
    await asyncio.gather(*(store(size) for size in (0, 9, 10)))
    assert most[3:] == [1, 2, 3]
    assert gate.in_flight_bytes == 0
