"""Without a server: with `OTEL_MODELDATA_STORE` the SDK writes to a store itself, for notebooks and batch jobs.

Every program here runs in a new process, as users start it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from receiver_process import lines_below
from waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite

SECONDS = 90
BATCH_SCORE = """
import pandas as pd
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext


def init():
    global inputs, outputs
    inputs = Collector(name="model_inputs")
    outputs = Collector(name="model_outputs")


def run(mini_batch):
    results = []
    for path in mini_batch:
        frame = pd.read_csv(path)
        context = inputs.collect(frame, BasicCorrelationContext(id=path.rpartition("/")[2]))
        result = pd.DataFrame({"score": frame.sum(axis=1)})
        outputs.collect(result, context)
        results.append(result)
    return pd.concat(results)
"""
"""A score.py for batch endpoints of Azure ML: they call `init` once in a process, and `run` with paths of files."""
COLLECT = """
import pandas as pd
from otel_modeldata import Collector
inputs = Collector(name="model_inputs")
inputs.collect(pd.DataFrame({"a": [1]}))
"""


def started(code: str, folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZUREML_MDC_"))}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=clean | {"OTEL_MODELDATA_STORE": "./modeldata"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=SECONDS)
    return process.returncode, out, errors


def run(code: str, folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    return outcome(started(code, folder, *arguments, **variables))


def audit(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "otel_modeldata_receiver", "audit", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.returncode, done.stdout


# S84: every collected event can be audited.
def test_a_program_without_an_explicit_flush_stores_and_reports_everything(tmp_path: Path) -> None:
    code = COLLECT + 'for n in range(500): inputs.collect(pd.DataFrame({"a": [n]}))\n'
    assert run(code, tmp_path, OTEL_MODELDATA_REPORT="reports") == (0, "", "")
    (blob,) = (tmp_path / "modeldata/local/default/model_inputs").rglob("*.jsonl")
    assert len(blob.read_bytes().splitlines()) == 501
    code_of_audit, said = audit(tmp_path, "modeldata", "--report", "reports")
    assert (code_of_audit, said.splitlines()[-1]) == (0, "everything is accounted for")


def test_the_lines_are_those_of_a_receiver(tmp_path: Path) -> None:
    assert run(COLLECT, tmp_path, OTEL_SERVICE_NAME="notebook")[0] == 0
    (line,) = lines_below(tmp_path)
    assert {key: line[key] for key in ("source", "type", "data", "contentrange", "producersequence")} == {
        "source": "/endpoints/notebook/deployments/default",
        "type": "azureml.inference.model_inputs",
        "data": [{"a": 1}],
        "contentrange": "bytes 0-8/9",
        "producersequence": "0",
    }
    folder = tmp_path / "modeldata/notebook/default/model_inputs"
    (blob,) = folder.rglob("*.jsonl")
    assert blob.relative_to(folder).parent.as_posix() == line["time"][:13].replace("-", "/").replace("T", "/")


def test_in_a_notebook_a_running_event_loop_does_not_matter_and_flush_reports(tmp_path: Path) -> None:
    code = """
import asyncio, otel_modeldata
async def cells():
    import pandas as pd
    from otel_modeldata import Collector
    inputs = Collector(name="model_inputs")
    inputs.collect(pd.DataFrame({"a": [1]}))
    await asyncio.sleep(0)
    report = otel_modeldata.flush(60)
    print(report.accepted, report.delivered, len(report.lost), report.pending)
asyncio.run(cells())
"""
    assert run(code, tmp_path) == (0, "1 1 0 0\n", "")


def test_processes_that_score_mini_batches_into_one_store_lose_nothing_and_share_no_blob(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(BATCH_SCORE)
    files = []
    for number in range(12):
        path = tmp_path / f"part-{number:02}.csv"
        path.write_text(f"x,y\n{number},1\n{number},2\n")
        files.append(str(path))
    job = "import score, sys\nscore.init()\nassert len(score.run(sys.argv[1:])) == 2 * len(sys.argv[1:])\n"
    workers = [started(job, tmp_path, *files[first::3]) for first in range(3)]
    assert [outcome(worker) for worker in workers] == [(0, "", "")] * 3
    lines = lines_below(tmp_path)
    joined = Counter(line["correlationid"] for line in lines)
    assert joined == {f"part-{number:02}.csv": 2 for number in range(12)}
    for collection in ("model_inputs", "model_outputs"):
        blobs = {blob.name[:32] for blob in (tmp_path / "modeldata/local/default" / collection).rglob("*.jsonl")}
        assert len(blobs) == 3
    assert audit(tmp_path, "modeldata", "--running")[0] == 0


FORKS = """
import os, sys
import pandas as pd
from otel_modeldata import Collector
inputs = Collector(name="model_inputs")
def collect(who):
    for n in range(100):
        inputs.collect(pd.DataFrame({"who": [who], "n": [n]}))
collect("parent before")
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        collect(f"child {child}")
        sys.exit(0)
    children.append(pid)
collect("parent after")
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
"""


def test_forked_children_write_separate_blobs_and_nothing_of_their_parents(tmp_path: Path) -> None:
    assert run(FORKS, tmp_path) == (0, "", "")
    lines = lines_below(tmp_path)
    stored = Counter(line["data"][0]["who"] for line in lines)
    assert stored == {"parent before": 100, "parent after": 100, "child 0": 100, "child 1": 100, "child 2": 100}
    blobs = {blob.name[:32] for blob in tmp_path.rglob("*.jsonl")}
    assert (len({line["producer"] for line in lines}), len(blobs)) == (4, 4)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_deliver_before_they_end(tmp_path: Path, method: str) -> None:
    (tmp_path / "job.py").write_text(
        "import pandas as pd\nfrom otel_modeldata import Collector\n"
        "def work(n):\n    Collector(name='model_inputs').collect(pd.DataFrame({'n': [n]}))\n"
    )
    code = f"""
import multiprocessing, job
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    workers = [context.Process(target=job.work, args=(n,)) for n in range(3)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
"""
    (tmp_path / "main.py").write_text(code)
    assert run("import runpy; runpy.run_path('main.py', run_name='__main__')", tmp_path)[0] == 0
    assert sorted(line["data"][0]["n"] for line in lines_below(tmp_path)) == [0, 1, 2]


def test_lines_in_an_azure_container_are_the_same(tmp_path: Path, azurite: Azurite) -> None:
    container = azurite.new_container()
    code = COLLECT + "inputs.collect(pd.DataFrame({'a': ['x' * 5_000_000]}))\n"
    variables = {
        "OTEL_MODELDATA_STORE": f"az://{container}/prod",
        "AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string,
    }
    assert run(code, tmp_path, **variables) == (0, "", "")
    (content,) = azurite.blobs(container, "prod/local/default/model_inputs").values()
    assert ["dataref" in json.loads(line) for line in content.splitlines()] == [False, True]


def test_a_kill_loses_nothing_with_a_spool(tmp_path: Path) -> None:
    code = (
        COLLECT + 'for n in range(200): inputs.collect(pd.DataFrame({"a": [n]}))\nprint("done", flush=True)\ninput()\n'
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"OTEL_MODELDATA_STORE": "modeldata", "OTEL_MODELDATA_SPOOL": "spool"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "done\n"
    first.send_signal(signal.SIGKILL)
    first.communicate()
    drain = "import otel_modeldata; otel_modeldata.shutdown(60)"
    assert run(drain, tmp_path, OTEL_MODELDATA_SPOOL="spool") == (0, "", "")
    assert {line["producersequence"] for line in lines_below(tmp_path)} == {str(n) for n in range(201)}


def test_an_unavailable_store_is_handled_like_an_unavailable_endpoint(tmp_path: Path) -> None:
    code = """
import os, otel_modeldata
import pandas as pd
from otel_modeldata import Collector
inputs = Collector(name="model_inputs")
os.rename("modeldata", "away")
open("modeldata", "w").close()
inputs.collect(pd.DataFrame({"a": [1]}))
print(otel_modeldata.flush(0.2).pending)
os.remove("modeldata")
os.rename("away", "modeldata")
print(otel_modeldata.flush(60).delivered)
"""
    code_of_exit, out, errors = run(code, tmp_path)
    assert (code_of_exit, out) == (0, "1\n1\n"), errors
    assert len(lines_below(tmp_path)) == 1


# S40: collection is turned off by the YAML alone; the code stays.
def test_a_collection_that_the_yaml_turns_off_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "deployment.yml").write_text(
        "endpoint_name: e\nname: d\ndata_collector: {collections: {model_inputs: {enabled: 'False'}}}\n"
    )
    assert run(COLLECT, tmp_path, OTEL_MODELDATA_CONFIG="deployment.yml") == (0, "", "")
    assert lines_below(tmp_path) == []


def test_a_relative_store_folder_does_not_change_with_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    code = COLLECT.replace("inputs.collect", 'import os\nos.chdir("elsewhere")\ninputs.collect')
    assert run(code, tmp_path) == (0, "", "")
    assert len(lines_below(tmp_path / "modeldata")) == 1


@pytest.mark.parametrize(
    ("before", "store", "sentence"),
    [
        ("", "file/store", "expected to write into"),
        ("", "ftp://x/y", "expected a store URL that starts with file://, az:// or https://, or a path"),
        (
            "import sys; sys.modules['otel_modeldata_receiver.listeners.in_process'] = None",
            "./modeldata",
            (
                "expected the receiver, which writes to stores, got no otel_modeldata_receiver.listeners.in_process: "
                "pip install 'otel-modeldata[receiver]'"
            ),
        ),
        (
            "import sys; sys.modules['azure.storage.blob.aio'] = None",
            "az://container/prefix",
            "expected the Azure libraries, got ",
        ),
        (
            "import importlib.metadata; importlib.metadata.entry_points = lambda **_: ()",
            "./modeldata",
            "expected one installed transport 'store' in the group otel_modeldata_transport, got another number",
        ),
    ],
)
def test_the_first_collector_raises_an_error_that_names_the_missing_part(
    tmp_path: Path, before: str, store: str, sentence: str
) -> None:
    (tmp_path / "file").touch()
    code = before + COLLECT.replace(
        'inputs = Collector(name="model_inputs")\n',
        "from otel_modeldata.exceptions import ConfigError\n"
        "try:\n    Collector(name='model_inputs')\n"
        "except ConfigError as error:\n    print(error)\n    raise SystemExit(7)\n",
    )
    code_of_exit, out, errors = run(code, tmp_path, OTEL_MODELDATA_STORE=store)
    assert (code_of_exit, errors) == (7, "")
    assert out.startswith(f"OTEL_MODELDATA_STORE: {sentence}")


def test_without_the_variable_no_receiver_module_is_loaded(tmp_path: Path) -> None:
    code = "import sys\nfrom otel_modeldata import Collector\nCollector(name='a')\n"
    code += "print([name for name in sys.modules if name.startswith(('otel_modeldata_receiver', 'grpc', 'pandas'))])"
    assert run(code, tmp_path, OTEL_MODELDATA_STORE="") == (0, "[]\n", "")


def test_sigterm_during_a_job_with_a_handler_delivers(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
        + COLLECT
        + "open('ready', 'w').close()\nwhile True: time.sleep(0.05)\n"
    )
    process = started(code, tmp_path)
    wait_until((tmp_path / "ready").exists)
    process.send_signal(signal.SIGTERM)
    assert outcome(process) == (3, "", "")
    assert len(lines_below(tmp_path)) == 1
