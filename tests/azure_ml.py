"""The few REST calls of Azure ML that the receiver makes, answered on this machine over TLS, and a token for them.

Azure ML's own library talks to it: what it sends is what it sends to Azure.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken

from certificate_files import make_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

TOKEN = "token-of-the-receiver"


class Identity:
    """A credential that needs nobody."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(TOKEN, int(time.time()) + 3600)


@dataclass(kw_only=True)
class AzureMl:
    """What was asked, and what is answered.

    Attributes:
        datastores: properties by name; others are not found.
        assets: path by `name/version`.
        refusals: statuses of the next answers, instead of what was asked for.
        requests: method, path without query, and content of each request.
        tokens: what the requests were authorized with.
    """

    datastores: dict[str, dict[str, str]] = field(default_factory=dict)
    assets: dict[str, str] = field(default_factory=dict)
    refusals: list[int] = field(default_factory=list)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def answer(self, method: str, path: str, content: Any) -> tuple[int, dict[str, Any]]:
        self.requests.append((method, path, content))
        name = path.rsplit("/", 1)[1]
        if self.refusals:
            return self.refusals.pop(0), {"error": {"code": "Refused", "message": "as the test wants it"}}
        if method == "PUT":
            key = "/".join(path.split("/")[-3::2])
            new = self.assets.setdefault(key, content["properties"]["dataUri"]) == content["properties"]["dataUri"]
            if not new:
                message = "A data version with this name and version already exists. Asset path is immutable."
                return 409, {"error": {"code": "UserError", "message": message}}
            return 201, {"id": path, "name": name, **content}
        if name in self.datastores:
            return 200, {"id": path, "name": name, "properties": self.datastores[name]}
        return 404, {"error": {"code": "UserError", "message": f"Could not find datastore: {name}"}}


@contextmanager
def azure_ml(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureMl]:
    """Serve, and lead Azure ML's library here; its certificates are made in `folder`."""
    service = AzureMl()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            service.tokens.add(self.headers.get("authorization", ""))
            path = self.path.partition("?")[0]
            status, answer = service.answer(self.command, path, json.loads(content) if content else None)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = handle_any  # noqa: N815 (names of the base class)

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the requests are kept."""

    make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv("AZUREML_DEV_URL_MFE", f"https://localhost:{server.server_port}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder / "ca.crt"))
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
