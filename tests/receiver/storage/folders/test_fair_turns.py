"""Turns: the bounds, the order between tenants, and those who do not give a turn back."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from virtual_time import now, run

from otel_modeldata_receiver.storage.folders.fair_turns import FairTurns


def test_a_tenant_with_many_blocks_does_not_delay_another_one() -> None:
    async def main() -> float:
        turns = FairTurns(4, 2, 60.0)

        async def store(tenant: str) -> None:
            async with turns.turn(tenant):
                await asyncio.sleep(1.0)

        many = [asyncio.ensure_future(store("many")) for _ in range(1000)]
        await asyncio.sleep(0.5)
        await store("few")
        taken = now()
        for one in many:
            one.cancel()
        await asyncio.wait(many)
        return taken

    assert run(main()) == 1.5


def test_tenants_that_wait_take_turns_one_after_the_other() -> None:
    order: list[str] = []

    async def main() -> None:
        turns = FairTurns(1, 1, 60.0)

        async def store(tenant: str) -> None:
            async with turns.turn(tenant):
                order.append(tenant)
                await asyncio.sleep(1.0)

        await asyncio.gather(*(store(tenant) for tenant in "aaabbc"))

    run(main())
    assert order == list("abcaba")


def test_a_block_that_takes_long_gives_its_turn_back() -> None:
    async def main() -> float:
        turns = FairTurns(1, 1, 2.0)

        async def hang() -> None:
            async with turns.turn("slow"):
                await asyncio.sleep(3600.0)

        slow = asyncio.ensure_future(hang())
        await asyncio.sleep(0.1)
        async with turns.turn("quick"):
            taken = now()
        await slow
        return taken

    assert run(main()) == 2.0


@given(
    works=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 5.0), st.booleans()), max_size=40),
    most=st.integers(1, 5),
    most_of_tenant=st.integers(1, 3),
)
def test_in_every_history_the_bounds_hold_and_everyone_gets_a_turn(
    works: list[tuple[str, float, bool]], most: int, most_of_tenant: int
) -> None:
    async def main() -> int:
        turns = FairTurns(most, most_of_tenant, 60.0)
        busy: list[str] = []

        async def work(tenant: str, seconds: float) -> int:
            async with turns.turn(tenant):
                busy.append(tenant)
                assert len(busy) <= most
                assert busy.count(tenant) <= most_of_tenant
                await asyncio.sleep(seconds)
                busy.remove(tenant)
            return 1

        tasks = [asyncio.ensure_future(work(tenant, seconds)) for tenant, seconds, _ in works]
        await asyncio.sleep(0)
        for task, (_, _, is_cancelled) in zip(tasks, works, strict=True):
            if is_cancelled and not busy:
                task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert turns._taken == 0
        assert turns._tenants == {}
        return sum(one if isinstance(one, int) else 1 for one in done)

    assert run(main()) == len(works)
