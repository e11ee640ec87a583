"""Hooks around a fork: one module registers them, in a documented order."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_modeldata import _forking

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]

_HOOKS = """
import os
from otel_modeldata import _forking

calls = []
for name in ("first", "second"):
    _forking.on_fork(
        before=lambda name=name: calls.append(f"before {name}"),
        after_in_parent=lambda name=name: calls.append(f"parent {name}"),
        after_in_child=lambda name=name: calls.append(f"child {name}"),
    )
_forking.on_fork(after_in_child=lambda: calls.append("child third"))
reader, writer = os.pipe()
if not (child := os.fork()):
    os.write(writer, ", ".join(calls).encode())
    os._exit(0)
os.waitpid(child, 0)
print(", ".join(calls))
print(os.read(reader, 1000).decode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_hooks_before_a_fork_run_in_reverse_order_and_hooks_after_it_in_order() -> None:
    done = subprocess.run([sys.executable, "-c", _HOOKS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "before second, before first, parent first, parent second",
        "before second, before first, child first, child second, child third",
    ]


_INTERRUPTED = """
import os, signal, threading
from otel_modeldata import _forking

def fork():
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)

def raise_timeout(*_):
    raise TimeoutError

fork()
taken, done = threading.Event(), threading.Event()
def hold():
    with _forking.guard:
        taken.set()
        done.wait(60)
holder = threading.Thread(target=hold)
holder.start()
taken.wait(60)
signal.signal(signal.SIGALRM, raise_timeout)
signal.setitimer(signal.ITIMER_REAL, 0.2)
fork()
done.set()
holder.join(60)
print(_forking.holds_guard(), _forking.guard.acquire(timeout=60))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_whose_wait_a_signal_handler_ends_does_not_release_what_another_thread_holds() -> None:
    done = subprocess.run([sys.executable, "-c", _INTERRUPTED], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
    assert [line for line in done.stderr.splitlines() if "Error" in line] == ["TimeoutError: "]


_AT_EACH_STEP = """
import os, sys, threading

def arm():
    global is_armed
    is_armed = True

os.register_at_fork(after_in_parent=arm)
from otel_modeldata import _forking
from otel_modeldata._delivery import grpc_transport
from otel_modeldata._settings.otlp_endpoint import Endpoint
from otel_modeldata.transport import Delivered

class Channel:  # without threads of gRPC, which a fork would have to wait for
    is_closed = False
    def unary_unary(self, _):
        return self.call
    def call(self, request, **_):
        if self.is_closed:
            raise ValueError
        return b""

    def close(self):
        self.is_closed = True

grpc_transport._FORK_SETTLES_SECONDS = 0
Endpoint.open_channel = lambda _: Channel()
OURS = os.path.dirname(_forking.__file__)

def is_ours(frame):
    while frame and not frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return frame is not None

def profile(frame, event, _):
    global left
    if is_armed and event in ("call", "c_return") and is_ours(frame):
        left -= 1
        if left < 0:
            raise TimeoutError

def taken(transport):
    found = []
    def look():
        for lock in (*transport._places, _forking.guard):
            if lock.acquire(blocking=False):
                lock.release()
            else:
                found.append(lock)
    looking = threading.Thread(target=look)
    looking.start()
    looking.join()
    return found

raised = []
sys.unraisablehook = raised.append
transport = grpc_transport.GrpcTransport(Endpoint(target="127.0.0.1:1"))
wrong, steps = [], 0
while len(raised) == steps:
    transport._channel.close()
    transport._interrupted = transport._channel  # as if a call had been under way
    is_armed, left = False, steps
    sys.setprofile(profile)
    if not (child := os.fork()):
        os._exit(0)
    sys.setprofile(None)
    os.waitpid(child, 0)
    is_stuck = taken(transport) or transport._interrupted is transport._channel
    if is_stuck or transport.send(b"") != Delivered(0, ""):
        wrong.append((steps, str(raised[-1].exc_value)))
    steps += 1
print({type(one.exc_value) for one in raised}, steps > 30, wrong)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_signal_handler_that_raises_at_any_step_of_the_hooks_after_a_fork_leaves_nothing_taken() -> None:
    """Python calls handlers when a function begins, and when a native function returns."""
    done = subprocess.run([sys.executable, "-c", _AT_EACH_STEP], capture_output=True, text=True, check=True)
    assert done.stdout == "{<class 'TimeoutError'>} True []\n"


_AFTER_CLOSE = """
import os, time
from otel_modeldata._delivery import grpc_transport
from otel_modeldata._settings.otlp_endpoint import Endpoint

waits = []
def sleep(seconds):
    waits.append(0 < seconds <= grpc_transport._FORK_SETTLES_SECONDS)
    time.sleep(seconds)

grpc_transport.sleep = sleep
closed = grpc_transport.GrpcTransport(Endpoint(target="127.0.0.1:1"))
closed.send(b"")
closed.close()
for _ in range(2):
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)
print(waits)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_waits_for_the_threads_of_a_channel_that_was_just_closed() -> None:
    """Also one that `shutdown` closed: gRPC's own hook waits for them forever, now and then."""
    done = subprocess.run([sys.executable, "-c", _AFTER_CLOSE], capture_output=True, text=True, check=True)
    assert done.stdout == "[True]\n"


class _GuardTakenAtOnce:
    """The guard, which the next thread that forks takes as soon as it is released."""

    def __init__(self, next_one: Callable[[], object]) -> None:
        self._lock = threading.RLock()
        self._next_one: Callable[[], object] | None = next_one

    def acquire(self, timeout: float = -1) -> bool:
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()
        next_one, self._next_one = self._next_one, None
        if next_one is not None:
            next_one()

    def _is_owned(self) -> bool:
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]


def test_two_threads_that_fork_one_after_the_other_leave_the_guard_free() -> None:
    first, second, third = (ThreadPoolExecutor(1) for _ in range(3))
    guard = _GuardTakenAtOnce(lambda: second.submit(_forking._before_fork).result(10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_forking, "guard", guard)
        first.submit(_forking._before_fork).result(10)
        for thread in (first, second):
            for _ in range(2):  # it is registered twice
                thread.submit(_forking._after_fork_in_parent).result(10)
    assert third.submit(guard.acquire, 10).result(20)


def test_only_one_module_registers_hooks() -> None:
    """Hooks in several modules would hide their order."""
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("sdk", "collector_exporter")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "register_at_fork"
    }
    assert found == {"sdk/otel_modeldata/_forking.py"}


_CLOSED_MEANWHILE = """
import os
from otel_modeldata.transport import OpenTransports

class One:
    def __init__(self, name):
        self.name = name
    def hold_for_fork(self):
        calls.append(f"hold {self.name}")
        transports.discard(self)  # as `close` does
    def go_on_after_fork(self):
        calls.append(f"go on {self.name}")
        if calls.count(f"go on {self.name}") == 1:
            raise TimeoutError  # as a signal handler may

calls, transports = [], OpenTransports()
both = [One("a"), One("b")]
for one in both:
    transports.add(one)
if not (child := os.fork()):
    os._exit(0)
os.waitpid(child, 0)
print(sorted(calls), transports._held)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_each_transport_that_was_held_goes_on_also_if_it_was_closed_or_another_one_fails() -> None:
    done = subprocess.run([sys.executable, "-c", _CLOSED_MEANWHILE], capture_output=True, text=True, check=True)
    assert done.stdout == "['go on a', 'go on a', 'go on b', 'go on b', 'hold a', 'hold b'] {}\n"
