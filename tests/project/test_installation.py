"""An installation into a working image replaces nothing: what was installed stays, and its requirements still hold."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from fresh_environment import INSTALL_SECONDS, ROOT, new_environment, run
from prerequisites import need_uv
from scoring_host import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

COLLECT = """
import pandas as pd
from otel_modeldata import Collector
from otel_modeldata.testing import capture
with capture() as captured:
    Collector(name="model_inputs").collect(pd.DataFrame({"n": [1]}))
    assert captured.events[0].rows == [{"n": 1}], captured.events
"""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An environment as people have it: packages, and the day on which they were installed."""

    name: str
    packages: tuple[str, ...]
    day: str | None = None
    has: dict[str, str]


AZURE_MONITOR = "azure-monitor-opentelemetry"
MAY_CHANGE = {"typing-extensions"}
"""Every release of gRPC of the last years requires a recent one; it takes nothing away."""
IMAGES = [
    Image(
        name="azure-monitor-otel-1.24",
        packages=(f"{AZURE_MONITOR}==1.4.0", "setuptools<70", "pandas==2.0.3", "numpy<1.25", "scikit-learn"),
        day="2024-04-15",
        has={"opentelemetry-sdk": "1.24.0", "pandas": "2.0.3", "numpy": "1.24.4", AZURE_MONITOR: "1.4.0"},
    ),
    Image(
        name="azure-monitor-otel-1.27",
        packages=(
            f"{AZURE_MONITOR}==1.6.2",
            "setuptools<70",
            "opentelemetry-exporter-otlp",
            "pandas==2.0.3",
            "numpy<1.25",
        ),
        day="2024-09-25",
        has={"opentelemetry-sdk": "1.27.0", "pandas": "2.0.3", AZURE_MONITOR: "1.6.2"},
    ),
    Image(
        name="azureml-inference-server",
        packages=("azureml-inference-server-http==1.5.1", "pandas==2.2.3", "numpy==1.26.4"),
        has={"opentelemetry-sdk": "1.33.0", "pandas": "2.2.3", "numpy": "1.26.4"},
    ),
    Image(
        name="mlflow-2",
        packages=("mlflow-skinny==2.16.2", "pandas==2.1.4", "numpy==1.26.4"),
        day="2024-10-01",
        has={"opentelemetry-sdk": "1.27.0", "pandas": "2.1.4", "numpy": "1.26.4", "protobuf": "5.28.2"},
    ),
    Image(
        name="protobuf-4",
        packages=("opentelemetry-sdk==1.24.0", "protobuf==4.25.3", "pandas==2.0.3", "numpy<1.25"),
        day="2024-04-15",
        has={"opentelemetry-sdk": "1.24.0", "pandas": "2.0.3", "protobuf": "4.25.3"},
    ),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(need_uv(), "build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def environment(folder: Path, image: Image) -> Path:
    """The interpreter of an environment with the packages of an image, and pip."""
    python = new_environment(folder, sys.executable, "--seed")
    until = ("--exclude-newer", image.day) if image.day else ()
    run(need_uv(), "pip", "install", "--quiet", "--python", python, *until, *image.packages)
    return python


def installed(python: Path) -> dict[str, str]:
    listed = json.loads(run(need_uv(), "pip", "list", "--quiet", "--format", "json", "--python", python))
    return {package["name"]: package["version"] for package in listed}


@pytest.mark.long
@pytest.mark.timeout(2 * INSTALL_SECONDS)
@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_installation_replaces_no_package_of_an_image(
    tmp_path: Path, wheel: Path, image: Image, installer: str
) -> None:
    python = environment(tmp_path / "image", image)
    before = installed(python)
    assert {name: before.get(name) for name in image.has} == image.has
    if installer == "pip":
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    else:
        run(need_uv(), "pip", "install", "--quiet", "--python", python, wheel)
    after = installed(python)
    replaced = {name: after.get(name) for name, version in before.items() if after.get(name) != version}
    assert set(replaced) <= MAY_CHANGE, replaced
    run(python, "-m", "pip", "check", "--disable-pip-version-check")
    run(python, "-c", COLLECT)


BESIDE_AZURE_MONITOR = '''
import gzip, json, logging, os, threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

tracked = []

class Ingestion(BaseHTTPRequestHandler):
    """Takes what Azure Monitor's exporters send."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        items = json.loads(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        tracked.extend(items)
        answer = json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Ingestion)
threading.Thread(target=server.serve_forever, daemon=True).start()

import grpc
from otel_modeldata._encoding.otlp_messages import ExportLogsServiceRequest

received = []

def export(request, context):
    received.append(request)
    return b""

class Logs(grpc.GenericRpcHandler):
    def service(self, call):
        return grpc.unary_unary_rpc_method_handler(export)

gateway = grpc.server(futures.ThreadPoolExecutor(2))
gateway.add_generic_rpc_handlers((Logs(),))
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{gateway.add_insecure_port('127.0.0.1:0')}"

from azure.monitor.opentelemetry import configure_azure_monitor

configure_azure_monitor(
    connection_string="InstrumentationKey=00000000-0000-0000-0000-000000000000;"
    f"IngestionEndpoint=http://127.0.0.1:{server.server_port}/",
    disable_offline_storage=True,
)

import pandas as pd
from opentelemetry import trace
from opentelemetry._logs import get_logger_provider
from otel_modeldata import Collector, flush

inputs = Collector(name="model_inputs")
through = Collector(name="through", logger_provider=get_logger_provider())
with trace.get_tracer("score").start_as_current_span("score"):
    for number in range(20):
        inputs.collect(pd.DataFrame({"row": [f"frame-{number}"]}))  # the gateway does not answer yet
    through.collect(pd.DataFrame({"row": ["through"]}))
    logging.getLogger("score").warning("a line of the application")
assert flush(3).pending == 20
gateway.start()
report = flush(60)
assert (report.accepted, report.delivered) == (20, 20), report
get_logger_provider().force_flush()
trace.get_tracer_provider().force_flush()

resources = [logs for request in received for logs in ExportLogsServiceRequest.FromString(request).resource_logs]
records = [record for logs in resources for scope in logs.scope_logs for record in scope.log_records]
assert sorted(record.body.string_value for record in records) == sorted(
    json.dumps([{"row": f"frame-{number}"}], separators=(",", ":")) for number in range(20)
)
messages = [item["data"]["baseData"]["message"] for item in tracked if item["data"]["baseType"] == "MessageData"]
assert [text for text in messages if "row" in text] == ['[{"row":"through"}]'], messages
assert messages.count("a line of the application") == 1, messages
events = [text for text in messages if text.startswith("azureml.inference.")]
assert len(events) == 21, events  # the span's, one of each collect
# A line that caused another would go on for as long as the gateway was away.
assert len(messages) - len(events) < 10, messages
assert "RemoteDependencyData" in {item["data"]["baseType"] for item in tracked}
print("both work", flush=True)
os._exit(0)
'''


@pytest.mark.long
@pytest.mark.timeout(2 * INSTALL_SECONDS)
@pytest.mark.parametrize("image", IMAGES[:2], ids=lambda image: image.name)
def test_beside_azure_monitor_each_gets_what_is_its_own(tmp_path: Path, wheel: Path, image: Image) -> None:
    python = environment(tmp_path / "image", image)
    run(need_uv(), "pip", "install", "--quiet", "--python", python, wheel)
    script = tmp_path / "beside.py"
    script.write_text(BESIDE_AZURE_MONITOR)
    off = {"APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true", "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true"}
    done = subprocess.run(
        [python, script],
        env=clean_environment() | off,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    assert "both work" in done.stdout


@pytest.mark.long
@pytest.mark.timeout(2 * INSTALL_SECONDS)
def test_the_demo_runs_from_a_wheel_in_an_empty_environment(tmp_path: Path, wheel: Path) -> None:
    """As `uvx --from 'otel-modeldata[demo]' otel-modeldata demo` does."""
    python = new_environment(tmp_path / "empty", sys.executable)
    run(need_uv(), "pip", "install", "--quiet", "--python", python, f"{wheel}[demo]")
    done = subprocess.run(
        [python.with_name("otel-modeldata"), "demo", "--json", "--requests", "10"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["requests"], facts["joined"], facts["problems"]) == (10, 10, [])
    assert (tmp_path / "modeldata" / "flights" / "blue" / "model_inputs").is_dir()
