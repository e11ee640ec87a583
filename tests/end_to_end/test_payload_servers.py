"""Payload logging of real servers without code, with the commands of the documentation."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from gateway import free_port
from receiver_process import lines_below, wait_for_lines, wait_until
from scoring_host import DEPLOY, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from receiver_process import StartReceiver
    from scoring_host import StartScoringHost

START_SECONDS = 90.0
ALL = ("request", "response", "model_inputs", "model_outputs")
DATA = {"col1": [1, 2], "col2": [2, 3]}
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"

STREAM = """
def stream():
    yield b"first"
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    yield b"second"
"""

FASTAPI = f"""
import pathlib
import time
import pandas as pd
{STREAM}
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from otel_modeldata import Collector

inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
app = FastAPI()

@app.get("/")
def probe():
    return "Healthy"

@app.post("/score")
def score(body: dict):
    context = inputs.collect(pd.DataFrame(body["data"]))
    outputs.collect(pd.DataFrame({{"prediction": [0.5]}}))
    return {{"prediction": [0.5]}}

@app.post("/echo")
async def echo(request: Request):
    body = await request.body()
    return StreamingResponse(iter([body[:1000], body[1000:]]), media_type="image/png")

@app.post("/stream")
def streamed():
    return StreamingResponse(stream(), media_type="text/plain")

def make():
    return app
"""

FLASK = f"""
import pathlib
import time
import flask
import pandas as pd
{STREAM}
from otel_modeldata import Collector

inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
app = flask.Flask("scoring")

@app.get("/")
def probe():
    return "Healthy"

@app.post("/score")
def score():
    inputs.collect(pd.DataFrame(flask.request.get_json()["data"]))
    outputs.collect(pd.DataFrame({{"prediction": [0.5]}}))
    return {{"prediction": [0.5]}}

@app.post("/echo")
def echo():
    stream = flask.request.stream
    return flask.Response(iter(lambda: stream.read(1000), b""), mimetype="image/png")

@app.post("/stream")
def streamed():
    return flask.Response(stream(), mimetype="text/plain")
"""


@dataclass(kw_only=True)
class Served:
    """A server under `opentelemetry-instrument`, on a free loopback port."""

    folder: Path
    command: list[str]
    variables: dict[str, str]
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        bin_folder = Path(sys.executable).parent
        words = [word.replace("PORT", str(self.port)) for word in self.command]
        command = [str(bin_folder / "opentelemetry-instrument"), str(bin_folder / words[0]), *words[1:]]
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=clean_environment() | self.variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def _answers(self) -> bool:
        try:
            return self.send("/", method="GET")[0] == 200
        except OSError:
            return False

    def send(self, path: str, body: bytes | None = None, method: str = "POST", **headers: str) -> tuple[int, bytes]:
        """Send a request; header names have `_` in place of `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send SIGTERM, as a rollout does: collected events must be in the store afterwards."""
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(60)
        assert code in {0, -signal.SIGTERM}, self.log.read_text()

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@pytest.fixture
def serve(start_receiver: StartReceiver, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts servers whose lines go to `tmp_path / "store"`."""
    started: list[Served] = []

    def start(application: str, *command: str, collections: tuple[str, ...] = ALL, **variables: str) -> Served:
        receiver = start_receiver(str(tmp_path / "store"))
        (tmp_path / "application.py").write_text(application)
        own = {
            "GUNICORN_CMD_ARGS": "--no-control-socket",
            "OTEL_PYTHON_DISTRO": "distro",  # another installed one would send telemetry elsewhere
            "OTEL_PYTHON_CONFIGURATOR": "configurator",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}",
            "OTEL_MODELDATA_CONFIG": str(deployment(tmp_path, collections)),
        }
        served = Served(folder=tmp_path, command=list(command), variables=own | variables)
        started.append(served)
        served.start()
        return served

    yield start
    for served in started:
        served.kill()


def chunk_by_chunk(served: Served) -> bytes:
    """The answer of `/stream`: its second chunk is made when the first has arrived here."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", "/stream", b"")
        response = connection.getresponse()
        first = response.read(5)
        (served.folder / "go").touch()
        return first + response.read()


def after_continue(served: Served, body: bytes) -> bytes:
    """The status line for a client that sends its body only when the server asks for it (RFC 9110 section 10.1.1)."""
    head = f"POST /score HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\nConnection: close\r\n\r\n".encode())
        with connection.makefile("rb") as stream:
            assert stream.readline().startswith(b"HTTP/1.1 100 ")
            while stream.readline() != b"\r\n":  # hypercorn's answer has headers
                pass
            connection.sendall(body)
            return stream.readline()


def deployment(folder: Path, collections: tuple[str, ...]) -> Path:
    """Azure's deployment YAML, with these collections and one header."""
    document = yaml.safe_load((DEPLOY / "deployment.yml").read_text())
    document["data_collector"] = {
        "collections": {name: {"enabled": "True"} for name in collections},
        "request_logging": {"capture_headers": ["x-tenant-id"]},
    }
    path = folder / "deployment.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def by_type(folder: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines_below(folder):
        found.setdefault(line["type"].rpartition(".")[2], []).append(line)
    return found


def assert_one_story(lines: list[dict[str, Any]], request_id: str, trace_id: str = TRACE_ID) -> None:
    """S45, S49: all lines of a request share its ids."""
    assert len({line["correlationid"] for line in lines}) == 1
    assert {line["xrequestid"] for line in lines} == {request_id}
    assert {line["traceparent"].split("-")[1] for line in lines} == {trace_id}


VARYING = ("id", "time", "timens", "producer", "sequence", "latencyms", "correlationid", "traceparent", "agent")


def whole(line: dict[str, Any]) -> dict[str, Any]:
    """A line without the keys that differ from run to run."""
    assert set(VARYING) - set(line) <= {"latencyms"}
    return {key: value for key, value in line.items() if key not in VARYING}


IN_CODE_UVICORN = """
import sys
import uvicorn
uvicorn.Server(uvicorn.Config(app, port=int(sys.argv[1]))).run()
"""
IN_CODE_WAITRESS = """
import sys
import waitress
waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), send_bytes=1)
"""
IN_CODE_WSGIREF = """
import sys
from wsgiref.simple_server import make_server
make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
"""
IN_CODE_GEVENT = """
import sys
from gevent.pywsgi import WSGIServer
WSGIServer(("127.0.0.1", int(sys.argv[1])), app).serve_forever()
"""
WAITRESS = ("waitress-serve", "--listen=127.0.0.1:PORT", "--send-bytes=1", "application:app")
SERVERS = {
    "uvicorn": (FASTAPI, "uvicorn", "application:app", "--port=PORT"),
    "gunicorn": (FLASK, "gunicorn", "application:app", "--bind=127.0.0.1:PORT"),
    "hypercorn": (FASTAPI, "hypercorn", "application:app", "--bind=127.0.0.1:PORT"),
    "granian": (FASTAPI, "granian", "--interface=asgi", "--port=PORT", "application:app"),
    "waitress": (FLASK, *WAITRESS),
}
MORE_SERVERS = {
    "uvicorn-factory-h11": (FASTAPI, "uvicorn", "--factory", "application:make", "--port=PORT", "--http=h11"),
    "uvicorn-workers": (FASTAPI, "uvicorn", "application:app", "--port=PORT", "--workers=2"),
    "gunicorn-threads": (FLASK, "gunicorn", "application:app", "--bind=127.0.0.1:PORT", "--threads=4", "--preload"),
    "gunicorn-asgi": (FASTAPI, "gunicorn", "application:app", "--bind=127.0.0.1:PORT", "--worker-class=asgi"),
    "gunicorn-uvicorn": (
        FASTAPI,
        "gunicorn",
        "application:app",
        "--bind=127.0.0.1:PORT",
        "--worker-class=uvicorn.workers.UvicornWorker",
    ),
    "flask": (FLASK, "flask", "--app=application", "run", "--port=PORT"),
    "uvicorn-wsgi": (FLASK, "uvicorn", "--interface=wsgi", "application:app", "--port=PORT"),
    "uvicorn-in-code": (FASTAPI + IN_CODE_UVICORN, "python", "application.py", "PORT"),
    "hypercorn-wsgi-workers": (FLASK, "hypercorn", "application:app", "--bind=127.0.0.1:PORT", "--workers=2"),
    "granian-workers": (FASTAPI, "granian", "--interface=asginl", "--port=PORT", "--workers=2", "application:app"),
    "granian-wsgi": (FLASK, "granian", "--interface=wsgi", "--port=PORT", "application:app"),
    "waitress-in-code": (FLASK + IN_CODE_WAITRESS, "python", "application.py", "PORT"),
    "wsgiref": (FLASK + IN_CODE_WSGIREF, "python", "application.py", "PORT"),
    "gevent": (FLASK + IN_CODE_GEVENT, "python", "application.py", "PORT"),
}


@pytest.mark.parametrize("server", [*SERVERS, *(pytest.param(name, marks=pytest.mark.long) for name in MORE_SERVERS)])
def test_the_lines_of_every_request_are_consistent(
    serve: Callable[..., Served], tmp_path: Path, server: str, interrupts: None
) -> None:
    """S46, S47 and S48: with no change to the application."""
    served = serve(*(SERVERS | MORE_SERVERS)[server])
    body = json.dumps({"data": DATA}).encode()
    headers = {"Content_Type": "application/json", "X_Request_Id": "request-1", "X_Tenant_Id": "contoso"}
    status, answer = served.send("/score?size=1", body, traceparent=TRACEPARENT, Authorization="hunter2", **headers)
    assert (status, json.loads(answer)) == (200, {"prediction": [0.5]})
    assert served.send("/score", b"{broken", Content_Type="application/json")[0] in {400, 422}
    png = bytes(range(256)) * 100
    assert served.send("/echo", png, Content_Type="image/png") == (200, png)
    assert chunk_by_chunk(served) == b"firstsecond"
    # Even without the middleware, one server never sends 100 Continue and one sends it twice.
    asks = server not in {"gunicorn-asgi", "flask", "wsgiref"}
    if asks:
        assert b" 200 " in after_continue(served, body)
    counts = {"request": 4 + asks, "response": 4 + asks, "model_inputs": 1 + asks, "model_outputs": 1 + asks}
    if server not in {"uvicorn", "gunicorn"}:  # Ctrl-C and SIGTERM end some without waiting for threads that serve
        wait_for_lines(tmp_path / "store", sum(counts.values()))
    served.stop(signal.SIGINT if server == "flask" else signal.SIGTERM)
    lines = by_type(tmp_path / "store")
    assert {name: len(found) for name, found in lines.items()} == counts, served.log.read_text()
    first, broken, image, *_ = sorted(lines["request"], key=lambda line: line["timens"])
    answered, refused, echoed, streamed, *_ = sorted(lines["response"], key=lambda line: line["timens"])
    frames = [line for line in lines["model_inputs"] + lines["model_outputs"] if line["xrequestid"] == "request-1"]
    assert len(frames) == 2
    assert_one_story([first, answered, *frames], "request-1")
    common = {
        "specversion": "1.0",
        "source": "/endpoints/my-endpoint/deployments/blue",
        "datacontenttype": "application/json",
        "xrequestid": "request-1",
        "modelversion": "default",
        "samplingrate": "1.0",
        "xtenantid": "contoso",
    }
    assert whole(first) == common | {
        "type": "azureml.inference.request",
        "path": "/score?size=1",
        "method": "POST",
        "data": {"data": DATA},
        "contentrange": f"bytes 0-{len(body) - 1}/{len(body)}",
    }
    assert whole(answered) == common | {
        "type": "azureml.inference.response",
        "statuscode": "200",
        "data": {"prediction": [0.5]},
        "contentrange": f"bytes 0-{len(answer) - 1}/{len(answer)}",
    }
    assert (broken["data"], refused["statuscode"]) in {("{broken", "400"), ("{broken", "422")}
    assert (streamed["data"], streamed["contentrange"]) == ("firstsecond", "bytes 0-10/11")
    for line in (image, echoed):
        assert (line["datacontenttype"], line["datainblob"]) == ("image/png", "true")
    assert "hunter2" not in served.log.read_text() + json.dumps(lines)
    assert "Traceback" not in served.log.read_text()


LITSERVE = """
import sys
import litserve

class Credit(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request):
        return request["a"]

    def predict(self, value):
        return 0.5

    def encode_response(self, output):
        return {"prediction": output}

if __name__ == "__main__":
    server = litserve.LitServer(Credit(), accelerator="cpu", healthcheck_path="/")
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False)
"""


@pytest.mark.long
def test_litserves_server_collects_payloads(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve(LITSERVE, "python", "application.py", "PORT")
    assert served.send("/predict", b'{"a": 1}', Content_Type="application/json", X_Request_Id="r") == (
        200,
        b'{"prediction":0.5}',
    )
    wait_for_lines(tmp_path / "store", 2)
    served.stop(signal.SIGINT)
    lines = by_type(tmp_path / "store")
    common = {
        "specversion": "1.0",
        "source": "/endpoints/my-endpoint/deployments/blue",
        "datacontenttype": "application/json",
        "xrequestid": "r",
        "modelversion": "default",
        "samplingrate": "1.0",
    }
    assert [whole(line) for line in lines["request"]] == [
        common
        | {
            "type": "azureml.inference.request",
            "path": "/predict",
            "method": "POST",
            "data": {"a": 1},
            "contentrange": "bytes 0-7/8",
        }
    ]
    assert [whole(line) for line in lines["response"]] == [
        common
        | {
            "type": "azureml.inference.response",
            "statuscode": "200",
            "data": {"prediction": 0.5},
            "contentrange": "bytes 0-17/18",
        }
    ]


TORNADO = """
import asyncio, sys
import tornado.web

class Score(tornado.web.RequestHandler):
    def get(self):
        self.write("Healthy")

async def main():
    tornado.web.Application([("/", Score)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
"""
AIOHTTP = """
import sys
from aiohttp import web

async def score(request):
    return web.Response(text="Healthy")

app = web.Application()
app.router.add_get("/", score)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
"""
RSGI = """
async def app(scope, protocol):
    protocol.response_str(200, [], "Healthy")
"""
UNKNOWN = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from otel_modeldata._payload import server_watch

class Score(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

server_watch.watch._grace_seconds = 0.1
HTTPServer(("127.0.0.1", int(sys.argv[1])), Score).serve_forever()
"""
IN_CODE = (
    "wrap it in code: `from otel_modeldata.payload import ASGIMiddleware`, then `app = ASGIMiddleware(app)`, or "
    "WSGIMiddleware"
)
NO_INTERFACE = (
    "it serves no ASGI or WSGI application; collect frames with a Collector, or serve the model with an ASGI or WSGI "
    "application"
)
COLLECTS_NOTHING = "payload logging collects nothing"
CANNOT_BE_HOOKED = {
    "tornado": (TORNADO, f"{COLLECTS_NOTHING} from tornado: {NO_INTERFACE}"),
    "aiohttp": (AIOHTTP, f"{COLLECTS_NOTHING} from aiohttp: {NO_INTERFACE}"),
    "unknown": (
        UNKNOWN,
        (
            f"{COLLECTS_NOTHING}: this process listens on 127.0.0.1:PORT, and it runs none of the servers that payload "
            f"logging hooks; if it serves an ASGI or WSGI application, {IN_CODE}"
        ),
    ),
    "rsgi": (
        RSGI,
        f"{COLLECTS_NOTHING} from granian's interface rsgi: start granian with --interface asgi or --interface wsgi",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("server", CANNOT_BE_HOOKED)
def test_a_server_that_cannot_be_hooked_is_one_log_line_that_says_what_to_do(
    serve: Callable[..., Served], server: str
) -> None:
    application, line = CANNOT_BE_HOOKED[server]
    command = ("python", "application.py", "PORT")
    if server == "rsgi":
        command = ("granian", "--port=PORT", "application:app")
    served = serve(application, *command)
    expected = line.replace("PORT", str(served.port))
    wait_until(lambda: expected in served.log.read_text())
    assert served.send("/", method="GET")[0] == 200
    served.stop()
    assert [found for found in served.log.read_text().splitlines() if "payload logging" in found] == [expected]


@pytest.mark.parametrize("collections", [("model_inputs", "model_outputs"), ()])
def test_payloads_are_collected_only_where_the_deployment_yaml_enables_them(
    serve: Callable[..., Served], tmp_path: Path, collections: tuple[str, ...]
) -> None:
    variables = {} if collections else {"OTEL_MODELDATA_CONFIG": ""}
    served = serve(*SERVERS["gunicorn"], collections=collections, **variables)
    assert served.send("/score", json.dumps({"data": DATA}).encode(), Content_Type="application/json")[0] == 200
    served.stop()
    assert set(by_type(tmp_path / "store")) == {"model_inputs", "model_outputs"}


def test_a_wrong_deployment_yaml_is_logged_and_the_server_serves(serve: Callable[..., Served], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("data_collector: {colections: {}}")
    application = FLASK.replace('Collector(name="model_inputs"), Collector(name="model_outputs")', "None, None")
    served = serve(application, *SERVERS["gunicorn"][1:], OTEL_MODELDATA_CONFIG=str(wrong))
    assert served.send("/echo", b"x")[0] == 200
    served.stop()
    assert "payload logging is off" in served.log.read_text()
    assert "data_collector.colections: unknown key, did you mean 'collections'?" in served.log.read_text()


@pytest.mark.parametrize("how", ["opentelemetry-instrument", "gunicorn.conf.py"])
def test_azures_scoring_server_collects_payloads_with_score_py_as_published(
    start_receiver: StartReceiver, start_scoring_host: StartScoringHost, tmp_path: Path, how: str
) -> None:
    """S46: `request` and `response` need no change of score.py, and its frames join them."""
    receiver = start_receiver(str(tmp_path / "store"))
    variables = {
        "OTEL_MODELDATA_CONFIG": str(deployment(tmp_path, ALL)),
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"http://{receiver.endpoint}",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    under: tuple[str, ...] = ()
    if how == "opentelemetry-instrument":
        under = (how,)
        (tmp_path / "empty.conf.py").write_text("")
        variables["GUNICORN_CONFIG_OF_THE_DEPLOYMENT"] = str(tmp_path / "empty.conf.py")
    else:
        variables["OTEL_TRACES_SAMPLER"] = "always_off"
    host = start_scoring_host(*under, **variables)
    assert host.score(DATA, traceparent=TRACEPARENT, x_request_id="request-1") == {"prediction": {"0": 3, "1": 5}}
    url = f"http://127.0.0.1:{host.port}/score"
    body, typed = json.dumps({"data": DATA}).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, typed)) as response:
        made_up = response.headers["x-request-id"]
    host.terminate()
    assert host.wait() == 0
    lines = by_type(tmp_path / "store")
    assert {name: len(found) for name, found in lines.items()} == dict.fromkeys(ALL, 2), host.log.read_text()
    stories: dict[str, list[dict[str, Any]]] = {}
    for line in itertools.chain(*lines.values()):
        stories.setdefault(line["correlationid"], []).append(line)
    named = [story for story in stories.values() if story[0]["xrequestid"] == "request-1"]
    unnamed = stories[made_up]
    assert (len(stories), len(named), len(unnamed)) == (2, 1, 4)
    assert_one_story(named[0], "request-1")
    assert_one_story(unnamed, made_up, unnamed[0]["traceparent"].split("-")[1])
    (request,) = (line for line in named[0] if line["type"].endswith(".request"))
    assert (request["path"], request["method"], request["data"]) == ("/score", "POST", {"data": DATA})
