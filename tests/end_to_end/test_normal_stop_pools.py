"""Children of the pools that people use, and which of their events arrive: each program collects 60 frames."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from recording_backend import RecordingBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

FRAMES = 60
MODEL = """
import os, sys, time
import pandas as pd
from otel_modeldata import Collector

INPUTS = Collector(name="model_inputs")

def score(n):
    INPUTS.collect(pd.DataFrame({"n": [n]}))
    return n

def score_lazily(n):
    from otel_modeldata import Collector
    Collector(name="model_inputs").collect(pd.DataFrame({"n": [n]}))
    return n
"""
long = pytest.mark.long
PROGRAMS = {
    "multiprocessing.Pool, terminated": """
        from multiprocessing import get_context
        if __name__ == "__main__":
            with get_context("fork").Pool(2) as pool:  # its end is SIGTERM
                pool.map(score, range(60))
        """,
    "multiprocessing.Pool, spawned and terminated": """
        from multiprocessing import get_context
        if __name__ == "__main__":
            with get_context("spawn").Pool(2) as pool:
                pool.map(score_lazily, range(60))
        """,
    "multiprocessing.Pool, maxtasksperchild": """
        from multiprocessing import get_context
        if __name__ == "__main__":
            pool = get_context("fork").Pool(2, maxtasksperchild=5)
            pool.map(score, range(60), chunksize=1)
            pool.close()
            pool.join()
        """,
    "a child with threads that outlive its target": """
        from concurrent.futures import ThreadPoolExecutor
        from multiprocessing import get_context
        def child():
            executor = ThreadPoolExecutor(2)
            for n in range(60):
                executor.submit(lambda n=n: (time.sleep(0.01), score(n)))
        if __name__ == "__main__":
            process = get_context("fork").Process(target=child)
            process.start()
            process.join()
        """,
    "joblib": """
        from joblib import Parallel, delayed
        if __name__ == "__main__":
            Parallel(n_jobs=2)(delayed(score)(n) for n in range(60))
        """,
    "billiard.Pool, terminated": """
        import billiard
        if __name__ == "__main__":
            with billiard.Pool(2) as pool:
                pool.map(score, range(60))
        """,
    "billiard.Pool, maxtasksperchild": """
        import billiard
        if __name__ == "__main__":
            pool = billiard.Pool(2, maxtasksperchild=20)
            pool.map(score, range(60), chunksize=1)
            pool.close()
            pool.join()
        """,
    "billiard.Process": """
        import billiard
        if __name__ == "__main__":
            process = billiard.Process(target=lambda: [score(n) for n in range(60)])
            process.start()
            process.join()
        """,
    "Dask": """
        from distributed import Client, LocalCluster
        if __name__ == "__main__":
            with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
                client = Client(cluster)
                client.gather(client.map(score_lazily, range(60)))
        """,
}
MINUTES = {
    "multiprocessing.Pool, spawned and terminated",
    "multiprocessing.Pool, maxtasksperchild",
    "billiard.Pool, maxtasksperchild",
    "billiard.Process",
    "Dask",
}

# --- The end of the main thread --------------------------------------------------------------------------------------

THREADS = {
    "an executor whose first collect comes after the end of the main thread": """
        from concurrent.futures import ThreadPoolExecutor
        executor = ThreadPoolExecutor(2)
        for n in range(60):
            executor.submit(lambda n=n: (time.sleep(0.01), score(n)))
        """,
    "plain threads whose first collect comes after the end of the main thread": """
        import threading
        def work(first):
            time.sleep(0.3)
            for n in range(20):
                score(first + n)
        for first in (0, 20, 40):
            threading.Thread(target=work, args=(first,)).start()
        """,
    "an exit handler that collects first": """
        import atexit
        atexit.register(lambda: [score(n) for n in range(60)])
        """,
    "an exit handler, after the program has collected": """
        import atexit
        atexit.register(lambda: [score(n) for n in range(30)])
        for n in range(30):
            score(n)
        """,
    "an exit handler, when no thread can be started": """
        import _thread, atexit
        def refuse(*arguments):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        def end():
            import threading
            _thread.start_new_thread = threading._start_new_thread = refuse
            for n in range(60):
                score(n)
        atexit.register(end)
        """,
}


@pytest.fixture
def backend() -> Iterator[RecordingBackend]:
    with RecordingBackend() as running:
        yield running


def environment(backend: RecordingBackend) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AZUREML_"))}
    return clean | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{backend.endpoint}"}


@pytest.mark.parametrize("name", [pytest.param(one, marks=long) if one in MINUTES else one for one in PROGRAMS])
def test_the_children_of_a_pool_deliver_before_they_end(backend: RecordingBackend, tmp_path: Path, name: str) -> None:
    run(backend, tmp_path, PROGRAMS[name])
    assert len(backend.records()) == FRAMES


MISSED = """
    import signal, threading
    from multiprocessing import get_context
    def child():
        for n in range(60):
            score(n)
        def receive():
            time.sleep(0.5)  # then the main thread waits
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # it is not interrupted
        threading.Thread(target=receive).start()
        threading.Event().wait()
    if __name__ == "__main__":
        process = get_context("fork").Process(target=child)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGTERM, process.exitcode
    """


def test_a_child_whose_main_thread_misses_sigterm_delivers_and_ends(backend: RecordingBackend, tmp_path: Path) -> None:
    run(backend, tmp_path, MISSED)
    assert len(backend.records()) == FRAMES


@pytest.mark.parametrize("name", THREADS)
def test_what_collects_while_the_interpreter_ends_is_delivered(
    backend: RecordingBackend, tmp_path: Path, name: str
) -> None:
    run(backend, tmp_path, THREADS[name])
    assert len(backend.records()) == FRAMES


def run(backend: RecordingBackend, folder: Path, code: str) -> None:
    program = folder / "program.py"
    program.write_text(MODEL + textwrap.dedent(code), "utf-8")
    done = subprocess.run(
        [sys.executable, program],
        env=environment(backend),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


# --- Celery ----------------------------------------------------------------------------------------------------------

TASKS = """
import os
import pandas as pd
from celery import Celery
from otel_modeldata import Collector

folder = os.environ["QUEUE"]
app = Celery("tasks", broker="filesystem://")
app.conf.update(
    broker_transport_options=dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), folder),
    task_ignore_result=True,
)
inputs = Collector(name="model_inputs")

@app.task
def score(n):
    inputs.collect(pd.DataFrame({"n": [n]}))
    with open(os.environ["ACCEPTED"], "a") as accepted:
        accepted.write(f"{n}\\n")
"""
POOLS = {
    "prefork": ("--pool", "prefork", "--concurrency", "2", "--max-tasks-per-child", "5"),
    "threads": ("--pool", "threads", "--concurrency", "2"),
    "solo": ("--pool", "solo"),
}


@long
@pytest.mark.parametrize("pool", POOLS)
def test_a_worker_of_celery_delivers_before_it_ends(backend: RecordingBackend, tmp_path: Path, pool: str) -> None:
    (tmp_path / "tasks.py").write_text(TASKS, "utf-8")
    accepted, queue = tmp_path / "accepted", tmp_path / "queue"
    queue.mkdir()
    own = {"PYTHONPATH": str(tmp_path), "QUEUE": str(queue), "ACCEPTED": str(accepted)}
    env = environment(backend) | own
    code = f"import tasks\nfor n in range({FRAMES}): tasks.score.delay(n)"
    subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=60)
    log = tmp_path / "log"
    with log.open("w") as output:
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--loglevel", "warning", *POOLS[pool]]
        worker = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 90
        while not accepted.exists() or len(accepted.read_text("utf-8").split()) < FRAMES:
            assert worker.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0, log.read_text("utf-8")
    finally:
        worker.kill()
        worker.wait(60)
    assert len(backend.records()) == FRAMES
