"""The token endpoint that Azure ML puts into the container of an online endpoint, on this machine."""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(kw_only=True)
class ManagedIdentity:
    """A running endpoint.

    Attributes:
        variables: what leads azure-identity here.
        token: what it gives out: a token as Azurite wants one, signed by nobody.
        asked: the query of each request.
    """

    variables: dict[str, str]
    token: str
    asked: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def managed_identity() -> Iterator[ManagedIdentity]:
    identity = ManagedIdentity(variables={}, token=_token())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            identity.asked.append(query)
            answer = {"access_token": identity.token, "expires_on": str(_later()), "token_type": "Bearer"}
            body = json.dumps(answer | {"resource": query["resource"]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the requests are kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        identity.variables.update(
            MSI_ENDPOINT=f"http://127.0.0.1:{server.server_port}/token", MSI_SECRET="secret-of-the-container"
        )
        try:
            yield identity
        finally:
            server.shutdown()
            thread.join()


def _later() -> int:
    return int(time.time()) + 3600


def _token() -> str:
    tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
    claims = {
        "aud": "https://storage.azure.com",
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": _later() - 7200,
        "nbf": _later() - 7200,
        "exp": _later(),
        "oid": tenant,
        "tid": tenant,
        "ver": "1.0",
    }
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    return ".".join([*(_encoded(json.dumps(part).encode()) for part in parts), _encoded(b"signed by nobody")])


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
