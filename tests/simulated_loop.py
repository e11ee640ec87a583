"""An event loop on which a seed decides who runs next, time costs nothing, and processes can be killed.

A *process* is a group of tasks: everything that is started in its context belongs to it. Killing it is what SIGKILL
is: none of its tasks ever takes another step, no `finally` runs, nobody is told. What it has asked the rest of the
world for is under way nevertheless.

Among tasks that could run now the seed picks one; callbacks that are no task's step keep their order, on which asyncio
itself relies. The same seed gives the same order in every process.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from virtual_time import VirtualLoop

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

MOST_STEPS = 1_000_000
"""More than any story takes: a loop that never waits must not hang the tests."""

_OWNER: contextvars.ContextVar[SimulatedProcess | None] = contextvars.ContextVar("owner", default=None)


class SimulatedProcess:
    """A group of tasks that dies at once; made by `SeededLoop.process`."""

    def __init__(self, loop: SeededLoop, name: str) -> None:
        self.name = name
        self.died: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._context = contextvars.copy_context()
        self._context.run(_OWNER.set, self)

    @property
    def alive(self) -> bool:
        return not self.died.done()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in this process."""
        return self._loop.create_task(work, context=self._context.copy())

    def enter(self, make: Callable[[], T]) -> T:
        """The result of `make()`, called in this process."""
        return self._context.run(make)

    def kill(self) -> None:
        """None of its tasks takes another step."""
        if self.alive:
            self.died.set_result(None)


class _Ready(deque[asyncio.Handle]):
    """What can run now: the seed picks among the steps of tasks at the front; those of dead processes are parked."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng
        self.parked: list[asyncio.Handle] = []
        self.closing = False
        self._steps = 0

    def popleft(self) -> asyncio.Handle:
        self._steps += 1
        assert self._steps < MOST_STEPS, "somebody runs in circles while no time passes"
        choices = 0
        for handle in self:
            if not isinstance(getattr(handle._callback, "__self__", None), asyncio.Task):  # type: ignore[attr-defined]
                break
            choices += 1
        if choices > 1:
            self.rotate(-(chosen := self._rng.randrange(choices)))
            handle = super().popleft()
            self.rotate(chosen)
        else:
            handle = super().popleft()
        owner = handle._context.get(_OWNER)  # type: ignore[attr-defined]
        if owner is None or owner.alive or self.closing:
            return handle
        self.parked.append(handle)
        return _nothing(handle)


def _nothing(handle: asyncio.Handle) -> asyncio.Handle:
    """A handle that the loop skips."""
    loop: asyncio.AbstractEventLoop = handle._loop  # type: ignore[attr-defined]
    skipped = asyncio.Handle(lambda: None, (), loop)
    skipped.cancel()
    return skipped


class SeededLoop(VirtualLoop):
    """A loop that is as fast as its work; `rng` decides in which order tasks run."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._ready = _Ready(rng)

    def process(self, name: str) -> SimulatedProcess:
        return SimulatedProcess(self, name)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """The result of `main`; afterwards whatever still exists, the dead included, is cancelled and the loop closed.

        A coroutine that is only forgotten would run its `finally` on a loop that is closed.
        """
        try:
            return self.run_until_complete(main)
        finally:
            with contextlib.suppress(AssertionError):  # what waits for nothing that ever comes
                self._bury()
            self.close()

    def _bury(self) -> None:
        self._ready.closing = True
        self._ready.extend(self._ready.parked)
        while tasks := asyncio.all_tasks(self):
            for task in tasks:
                task.cancel()
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
