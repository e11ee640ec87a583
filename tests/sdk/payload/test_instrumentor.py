from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from prerequisites import skip_without

pytest.importorskip("opentelemetry.instrumentation.instrumentor")

if TYPE_CHECKING:
    from pathlib import Path

SETUP = """
import sys
from types import SimpleNamespace
from otel_modeldata.payload import PayloadInstrumentor
instrumentor = PayloadInstrumentor()
"""
LOAD = """
from gunicorn.workers.sync import SyncWorker

def loaded(kind=SyncWorker):
    worker = kind.__new__(kind)
    worker.app = SimpleNamespace(wsgi=lambda: application)
    worker.load_wsgi()
    return type(worker.wsgi).__name__

def application(environ, start_response):
    return []
"""


def run(code: str, folder: Path, *collections: str) -> list[str]:
    """The words that `code` prints, in a new process whose configuration enables `collections`."""
    config = folder / "mdc.json"
    config.write_text(json.dumps({"collections": {name: {"enabled": True} for name in collections}}))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SETUP + code],
        env={"AZUREML_MDC_CONFIG_PATH": str(config)} if collections else {},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_program_that_is_not_a_server_loads_no_server_and_no_delivery(tmp_path: Path) -> None:
    heavy = "pandas", "numpy", "grpc", "google.protobuf", "opentelemetry.sdk", "uvicorn", "gunicorn", "werkzeug"
    code = f"instrumentor.instrument()\nprint(*[name for name in {heavy} if name in sys.modules])"
    assert run(code, tmp_path, "request", "response") == []


def test_a_server_loads_applications_inside_the_middleware_while_instrumented(tmp_path: Path) -> None:
    code = f"""
instrumentor.instrument()
{LOAD}
print(loaded())
instrumentor.uninstrument()
print(loaded())
instrumentor.instrument()
print(loaded())
"""
    assert run(code, tmp_path, "request") == ["WSGIMiddleware", "function", "WSGIMiddleware"]


def test_a_server_that_is_already_loaded_is_instrumented_too(tmp_path: Path) -> None:
    code = f"{LOAD}\nprint(loaded())\ninstrumentor.instrument()\nprint(loaded())"
    assert run(code, tmp_path, "response") == ["function", "WSGIMiddleware"]


def test_an_application_that_has_the_middleware_is_loaded_as_it_is(tmp_path: Path) -> None:
    code = f"""
instrumentor.instrument()
{LOAD}
from otel_modeldata.payload import WSGIMiddleware
plain = application
application = WSGIMiddleware(plain)
assert loaded() == "WSGIMiddleware"
print(application.app is plain)
"""
    assert run(code, tmp_path, "request") == ["True"]


def test_workers_that_load_no_wsgi_application_are_not_changed(tmp_path: Path) -> None:
    """uvicorn's worker loads ASGI applications with the same method; uvicorn's own hook adds the middleware."""
    code = f"""
instrumentor.instrument()
{LOAD}
from gunicorn.workers.base import Worker
print(loaded(type("UvicornWorker", (Worker,), {{}})))
"""
    assert run(code, tmp_path, "request") == ["function"]


@pytest.mark.parametrize("collections", [(), ("model_inputs",)])
def test_nothing_is_wrapped_if_payloads_are_not_enabled(tmp_path: Path, collections: tuple[str, ...]) -> None:
    assert run(f"instrumentor.instrument()\n{LOAD}\nprint(loaded())", tmp_path, *collections) == ["function"]


def test_an_application_whose_middleware_cannot_be_made_is_served_without(tmp_path: Path) -> None:
    code = f"""
import os
instrumentor.instrument()
import logging
logging.basicConfig(stream=sys.stdout, format="%(message)s")
os.environ["OTEL_MODELDATA_PAYLOAD_BYTES"] = "much"
{LOAD}
print(loaded())
"""
    problem = "OTEL_MODELDATA_PAYLOAD_BYTES: expected bytes from 0 to 62914560, got 'much'"
    line = f"payload logging is off: {problem}"
    assert run(code, tmp_path, "request") == [*line.split(), "function"]


WRAPPED = """
instrumentor.instrument()

def application(environ, start_response):
    return []

async def asgi(scope, receive, send):
    pass

def kinds(app):
    found = []
    while app is not None:
        found.append(type(app).__name__)
        app = getattr(app, "app", None)
    return ">".join(found)
"""


UVICORN = """
ASGIMiddleware>function
ProxyHeadersMiddleware>_WSGIMiddleware>WSGIMiddleware>function
ASGIMiddleware>ASGI2Middleware>function
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        (
            """
from hypercorn.utils import wrap_app
print(kinds(wrap_app(asgi, 0, None)), kinds(wrap_app(application, 0, "wsgi")))
""",
            "ASGIWrapper>ASGIMiddleware>function WSGIWrapper>WSGIMiddleware>function",
        ),
        (
            """
from waitress.server import create_server
server = create_server(application, listen="127.0.0.1:0", trusted_proxy="127.0.0.1", trusted_proxy_headers="forwarded")
print(kinds(server.application))
server.close()
server.trigger.close()
server.task_dispatcher.shutdown()
""",
            "WSGIMiddleware>function",
        ),
        (
            """
import uvicorn, warnings
warnings.simplefilter("ignore", DeprecationWarning)
for app, interface in ((asgi, "auto"), (application, "wsgi"), (lambda scope: asgi, "asgi2")):
    config = uvicorn.Config(app, interface=interface, proxy_headers=interface == "wsgi")
    config.load()
    print(kinds(config.loaded_app))
""",
            UVICORN,
        ),
        (
            """
from wsgiref.simple_server import make_server
with make_server("127.0.0.1", 0, application) as server:
    print(kinds(server.get_app()))
""",
            "WSGIMiddleware>function",
        ),
        (
            """
from tornado.wsgi import WSGIContainer
print(kinds(WSGIContainer(application).wsgi_application))
""",
            "WSGIMiddleware>function",
        ),
        (
            """
from granian.server.mp import MPServer
server = MPServer("app", interface="wsgi")
server._start_ipc()
server._ssp = server._shd = server._sso = None
worker = server._spawn_worker(idx=0, target=print, callback_loader=lambda: application)
import pickle
(loader,) = (one for one in worker.inner._args if type(one).__name__ == "GranianLoader")
print(kinds(loader()))
""",
            "WSGIMiddleware>function",
        ),
    ],
    ids=["hypercorn", "waitress", "uvicorn", "wsgiref", "tornado", "granian"],
)
def test_every_server_wraps_the_application_that_it_serves(
    code: str, kinds: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    skip_without(request.node.callspec.id)
    assert run(WRAPPED + code, tmp_path, "request") == kinds.split()


def test_a_metrics_page_beside_the_model_is_not_wrapped(tmp_path: Path) -> None:
    code = """
application.__module__ = "prometheus_client.exposition"
from wsgiref.simple_server import make_server
with make_server("127.0.0.1", 0, application) as server:
    print(kinds(server.get_app()))
"""
    assert run(WRAPPED + code, tmp_path, "request") == ["function"]


def test_a_server_whose_names_differ_is_one_log_line_and_starts(tmp_path: Path) -> None:
    code = f"""
import types, logging
logging.basicConfig(stream=sys.stdout, format="%(message)s")
{WRAPPED}
other = types.ModuleType("waitress.server")
other.BaseWSGIServer = type("BaseWSGIServer", (), {{}})
from otel_modeldata._payload import server_hooks
server_hooks._patch(None, "waitress.server", {{"Server.__init__": None}})(other)
class Base:
    def __init__(self): pass
other.Server = Base
hooks = {{"Server.__init__": server_hooks._wraps("WSGIMiddleware", "application")}}
server_hooks._patch(instrumentor.around, "waitress.server", hooks)(other)
other.Server()
"""
    lines = (
        "payload logging cannot hook waitress.server: module 'waitress.server' has no attribute 'Server'; wrap the "
        "application in code "
        "payload logging is off: expected a server of a known version, got AttributeError(\"'Base' object has no "
        "attribute 'application'\"); wrap the application in code"
    )
    assert run(code, tmp_path, "request") == lines.split()


def test_a_process_that_a_server_spawns_is_instrumented(tmp_path: Path) -> None:
    code = f"""
{WRAPPED}
import pickle
from otel_modeldata._payload.server_hooks import InChild
instrumentor.uninstrument()
child = pickle.loads(pickle.dumps(InChild(print)))
child(PayloadInstrumentor().is_instrumented_by_opentelemetry, sep="")
print(PayloadInstrumentor().is_instrumented_by_opentelemetry)
"""
    assert run(code, tmp_path, "request") == ["False", "True"]


def test_without_opentelemetry_distro_the_error_names_the_package(tmp_path: Path) -> None:
    code = """
sys.modules["wrapt"] = None
for name in list(sys.modules):
    if name.startswith("otel_modeldata"):
        del sys.modules[name]
try:
    from otel_modeldata.payload import PayloadInstrumentor
except ImportError as error:
    print(error)
"""
    sentence = "PayloadInstrumentor: expected wrapt, got none: pip install opentelemetry-distro"
    assert run(code, tmp_path) == sentence.split()
