"""Processes that fork: no event is lost or sent twice by parent or child."""

from __future__ import annotations

import threading
from typing import Any

import grpc
from ending_host import DRAIN, Host


def test_children_forked_before_the_first_collect_are_separate_producers(host: Host) -> None:
    host.run(
        """
        import os, otel_modeldata
        children = [os.fork() for _ in range(1)]
        collect("parent" if children[0] else "child", 100)
        assert not otel_modeldata.shutdown(60).pending
        if not children[0]:
            os._exit(0)
        assert os.waitpid(children[0], 0)[1] == 0
        """
    )
    host.check(producers=2)


def test_children_forked_with_a_full_queue_send_none_of_it(host: Host) -> None:
    host.run(
        """
        import os, sys
        collect("parent", 1000)
        for n in range(3):
            if not os.fork():
                collect(f"child{n}", 50)
                sys.exit(0)
        for n in range(3):
            assert os.wait()[1] == 0
        """
    )
    host.check(producers=4)
    assert len(host.backend.records()) == 1150  # none twice, even before de-duplication


def _refuse_after(gate: threading.Event) -> Any:
    def refuse(context: grpc.ServicerContext) -> None:
        assert gate.wait(60)
        context.abort(grpc.StatusCode.UNAVAILABLE, "later")

    return refuse


def test_a_fork_during_a_request_does_not_affect_parent_or_child(host: Host) -> None:
    gate = threading.Event()
    host.backend.refuse(_refuse_after(gate))
    process = host.start(
        """
        import os, sys
        collect("before", 100)
        sys.stdin.readline()
        child = os.fork()
        collect("after" if child else "child", 100)
        if child:
            assert os.waitpid(child, 0)[1] == 0
        """
    )
    host.backend.wait_until(lambda backend: backend.refused >= 1)
    assert process.stdin is not None
    process.stdin.write("fork\n")
    process.stdin.flush()
    host.backend.wait_until(lambda backend: backend.refused >= 2)
    host.backend.refuse(None)
    gate.set()
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 0, errors
    host.check(producers=2)


def test_forks_beside_collecting_threads_do_not_affect_any_process(host: Host) -> None:
    host.run(
        """
        import os, threading, otel_modeldata
        done = threading.Event()
        def work(name):
            round = 0
            while not done.is_set():
                collect(f"{name}-{round}", 20)
                round += 1
        threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for n in range(8):
            child = os.fork()
            if not child:
                collect(f"child{n}", 10)
                assert not otel_modeldata.shutdown(60).pending
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        done.set()
        """
    )
    host.check(producers=9)


def test_the_spool_of_a_killed_parent_does_not_wait_for_its_children(with_spool: Host) -> None:
    gate = threading.Event()
    with_spool.backend.refuse(_refuse_after(gate))
    process = with_spool.start(
        """
        import os, signal, sys
        collect("parent", 100)
        if not os.fork():
            sys.stdin.readline()  # lives on
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    process.wait(60)
    with_spool.backend.refuse(None)
    gate.set()
    with_spool.run(DRAIN)
    with_spool.check(producers=1)
    process.communicate("end\n", timeout=60)
