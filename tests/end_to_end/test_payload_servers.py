"""Payload logging of real servers without code, with the commands of the documentation."""

from __future__ import annotations

import itertools
import json
import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from payload_servers import (
    ALL,
    DATA,
    FASTAPI,
    FLASK,
    TRACEPARENT,
    Served,
    after_continue,
    assert_one_story,
    by_type,
    chunk_by_chunk,
    deployment,
)
from receiver_process import wait_for_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from receiver_process import StartReceiver
    from scoring_host import StartScoringHost

VARYING = ("id", "time", "timens", "producer", "producersequence", "latencyms", "correlationid", "traceparent", "agent")


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
def test_litserves_server_collects_payloads(serve: Callable[..., Served], tmp_path: Path, interrupts: None) -> None:
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
