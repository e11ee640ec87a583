"""Processes that fork, exit, get signals or run as servers, and which of their events arrive.

Every program records the events that `collect` accepted. `history.check` compares them with the events that a real OTLP
server received; an event that arrived twice under one id counts once, as the receiver stores it once."""

from __future__ import annotations

import signal
import time

import pytest
from ending_host import DRAIN, Host

ORDERLY = {
    "the end of the program": ("", 0),
    "sys.exit": ("import sys; sys.exit(3)", 3),
    "an uncaught exception": ("raise RuntimeError('bug')", 1),
    "SIGTERM with a handler": (
        "import os, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), 15)",
        0,
    ),
    "SIGTERM without a handler": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGINT": ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    "os._exit after shutdown": ("import os, otel_modeldata; otel_modeldata.shutdown(); os._exit(0)", 0),
}


@pytest.mark.parametrize("ending", ORDERLY)
def test_an_orderly_end_loses_nothing(without_spool: Host, ending: str, interrupts: None) -> None:
    code, status = ORDERLY[ending]
    without_spool.run("collect('a', 500)\n" + code, status)
    without_spool.check(producers=1)
    account = {"accepted": 500, "delivered": 500, "lost": {}}
    ((producer, report),) = without_spool.reports().items()
    assert report == {"producer": producer, "deployment": "local/default", "collections": {"model_inputs": account}}


ABRUPT = {
    "os._exit": ("import os; os._exit(0)", 0),
    "SIGTERM, left alone": (
        "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGTERM)",
        -signal.SIGTERM,
    ),
    "kill -9": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "abort": ("import os; os.abort()", -signal.SIGABRT),
}


@pytest.mark.parametrize("ending", ABRUPT)
def test_an_abrupt_end_loses_nothing_with_a_spool(with_spool: Host, ending: str) -> None:
    code, status = ABRUPT[ending]
    with_spool.run("collect('a', 500)\n" + code, status)
    with_spool.run(DRAIN)
    with_spool.check(producers=1)


@pytest.mark.parametrize("ending", ABRUPT)
def test_an_abrupt_end_without_a_spool_loses_the_last_sequence_numbers(without_spool: Host, ending: str) -> None:
    code, status = ABRUPT[ending]
    without_spool.run(
        "collect('a', 500)\nimport otel_modeldata; otel_modeldata.flush()\ncollect('b', 500)\n" + code, status
    )
    lines = without_spool.lines()
    assert len(without_spool.accepted()) == 1000
    assert [int(line["producersequence"]) for line in lines] == list(range(len(lines)))
    assert len(lines) >= 500
    assert without_spool.reports() == {}
    without_spool.check(producers=1, lost=1000 - len(lines))


def test_an_outage_that_outlasts_the_process_loses_nothing_with_a_spool(with_spool: Host) -> None:
    """The endpoint is down when the process ends, and back when the next one starts."""
    with_spool.backend.stop()
    with_spool.run("collect('a', 500)\nimport otel_modeldata; otel_modeldata.shutdown(0.5)")
    ((_, report),) = with_spool.reports().items()
    assert report["collections"] == {"model_inputs": {"accepted": 500, "delivered": 0, "lost": {}, "pending": 500}}
    with_spool.backend.start()
    with_spool.run("collect('b', 5)")
    with_spool.check(producers=2)
    replayed = [one["replayed"] for one in with_spool.reports().values() if "replayed" in one]
    assert replayed == [{report["producer"]: {"model_inputs": {"accepted": 500, "delivered": 500, "lost": {}}}}]


def test_without_a_spool_losses_in_an_outage_that_outlasts_the_process_are_counted_exactly(without_spool: Host) -> None:
    without_spool.backend.stop()
    without_spool.run("collect('a', 500)\nimport otel_modeldata; otel_modeldata.shutdown(0.5)")
    ((_, report),) = without_spool.reports().items()
    assert report["collections"] == {"model_inputs": {"accepted": 500, "delivered": 0, "lost": {"shutdown": 500}}}


def _kill_in_the_middle(host: Host, name: str, at_least: int) -> str:
    """Returns the event that `collect` was called with: it is unknown whether it was accepted."""
    before = len(host.accepted())
    process = host.start(f"collect({name!r}, 10**9)")
    while len(host.accepted()) < before + at_least:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.001)
    process.kill()
    process.communicate()
    return f"{name}-{len(host.accepted()) - before}"


def test_kill_9_in_the_middle_of_load_loses_nothing_with_a_spool(with_spool: Host) -> None:
    under_way = [_kill_in_the_middle(with_spool, f"run{n}", 300 + 611 * n) for n in range(3)]
    with_spool.run(DRAIN)
    with_spool.check(producers=3, unknown=under_way)


@pytest.mark.long
def test_many_kills_during_an_intermittent_outage_lose_nothing_with_a_spool(with_spool: Host) -> None:
    under_way = []
    for n in range(20):
        if n % 4 == 1:
            with_spool.backend.stop()
        if n % 4 == 3:
            with_spool.backend.start()
        under_way.append(_kill_in_the_middle(with_spool, f"run{n}", 50 + 397 * n % 1500))
    with_spool.run(DRAIN)
    with_spool.check(producers=20, unknown=under_way)


# --- multiprocessing -----------------------------------------------------------------------------------------------

MULTIPROCESSING = """
import multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    collect("parent", 50)
    children = [context.Process(target=collect, args=(f"child{{n}}", 50)) for n in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_deliver_before_they_end(without_spool: Host, method: str) -> None:
    without_spool.run(MULTIPROCESSING.format(method=method))
    without_spool.check(producers=3)


def test_the_workers_of_an_executor_deliver_before_they_end(without_spool: Host) -> None:
    without_spool.run(
        """
        from concurrent.futures import ProcessPoolExecutor
        if __name__ == "__main__":
            with ProcessPoolExecutor(2) as executor:
                list(executor.map(collect, [f"task{n}" for n in range(20)], [10] * 20))
        """
    )
    without_spool.check(producers=len({line["producer"] for line in without_spool.lines()}))


def test_a_terminated_pool_loses_nothing(host: Host) -> None:
    host.run(
        """
        import multiprocessing, otel_modeldata
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:  # its end is SIGTERM
                pool.starmap(collect, [(f"task{n}", 10) for n in range(20)])
            pool.join()
            collect("parent", 1)
        """
    )
    host.check(producers=len({line["producer"] for line in host.lines()}))
