"""Payload logging: every request and response of a server becomes a line, with any framework and any body.

In code, in two lines:

```python
from otel_modeldata.payload import ASGIMiddleware  # or WSGIMiddleware

app = ASGIMiddleware(app)
```

Without code, if the deployment YAML enables the collections `request` and `response`:

```sh
opentelemetry-instrument azmlinfsrv --entry_script score.py
opentelemetry-instrument uvicorn app:app
opentelemetry-instrument gunicorn app:app
opentelemetry-instrument hypercorn app:app
opentelemetry-instrument granian --interface asgi app:app
opentelemetry-instrument waitress-serve app:app
```

`_payload/server_hooks.py` lists all servers; one that cannot be hooked is reported in a log line.

Both records of a request, and every frame that is collected while it is served, have the same `correlationid` and
`xrequestid` (the request's `x-request-id`, else the correlation id). The correlation id is that of the current context,
else the one that the calling service sent as W3C baggage, else a new one. `x-request-id` is not used for it, because
clients repeat it. A frame that is collected with another context has that context's id.

`_settings/payload.py` decides which requests are collected, and how much of a body. `validation/media_type.py` decides
what is JSON and what is text; everything else, compressed bodies included (line key `contentencoding`), is binary.
Headers are collected only from an allow-list (`request_logging.capture_headers`), and never credentials; in a query,
the values of keys and tokens are replaced by `REDACTED`. If the application raises, the response has status 500 and no
body; if the client disconnects before the answer, it has status 499. Records use the same queue as frames: with
`OTEL_MODELDATA_OVERFLOW=block:MS` the server waits for room after it has sent the response.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._payload.asgi import ASGIMiddleware
    from ._payload.instrumentor import PayloadInstrumentor
    from ._payload.wsgi import WSGIMiddleware

__all__ = ["ASGIMiddleware", "PayloadInstrumentor", "WSGIMiddleware"]

_MODULES = {"ASGIMiddleware": "asgi", "PayloadInstrumentor": "instrumentor", "WSGIMiddleware": "wsgi"}


def __getattr__(name: str) -> Any:
    """Load classes on first use: `opentelemetry-instrument` loads the instrumentor in every program, server or not."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"._payload.{_MODULES[name]}", __package__), name)
    except ModuleNotFoundError as error:
        raise ImportError(f"{name}: expected {error.name}, got none: pip install opentelemetry-distro") from error
