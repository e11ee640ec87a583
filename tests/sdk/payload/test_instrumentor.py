from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

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
