"""Who may send for which deployment: the setting `tls.clients`, and what it says of the certificate of a connection.

A certificate is known by its names: the subject's common name, and the DNS and URI entries among its alternative
names, compared letter by letter. It may send for what any of its names may. TLS has shown by then that an authority of
`client_ca_file` stands behind those names; this module asks no more of a certificate, and knows no connection.

The deployment is the one whose path the lines get: what else a resource says of itself is not looked at. A resource
that names none is nobody's: its records go to quarantine, outside every deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata import semconv

from ..exceptions import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Client", "Clients", "client_problems"]

EVERYTHING: Final = "*"
"""As a grant: every deployment. As the second half of one: every deployment of the endpoint."""
_SHOWN_NAMES: Final = 3
_SHOWN_CHARS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A sender that may not send for everything.

    Attributes:
        names: those of its certificate.
        grants: `endpoint/deployment` and `endpoint/*` that it may send for; none where the setting does not know it.
    """

    names: tuple[str, ...]
    grants: frozenset[str]

    def check_known(self) -> None:
        """Raise ForbiddenError unless there is anything that this client may send for."""
        if not self.grants:
            raise ForbiddenError(
                f"expected a certificate that tls.clients names, got one of {self._shown}; add it there and restart "
                "the receiver, or send with another certificate"
            )

    def check(self, endpoint: str, deployment: str) -> None:
        """Raise ForbiddenError unless this client may send for the deployment."""
        if self.grants.isdisjoint((f"{endpoint}/{deployment}", f"{endpoint}/{EVERYTHING}")):
            raise ForbiddenError(
                f"expected a deployment that tls.clients grants the certificate of {self._shown}, got "
                f"'{endpoint}/{deployment}'; add it there and restart the receiver, or send with another certificate"
            )

    @property
    def _shown(self) -> str:
        return " alias ".join(repr(name[:_SHOWN_CHARS]) for name in self.names[:_SHOWN_NAMES]) or "nobody"


class Clients:
    """The setting, asked once for each request.

    Args:
        granted: deployments by certificate name, without problems (`client_problems`).
    """

    def __init__(self, granted: Mapping[str, Sequence[str]]) -> None:
        self._granted = {name: frozenset(grants) for name, grants in granted.items()}

    def of_call(self, authentication: Mapping[str, Iterable[bytes]]) -> Client | None:
        """The client of a gRPC call, by its `auth_context`; None when it may send for everything."""
        keys = ("x509_common_name", "peer_dns", "peer_uri")
        return self._of(raw.decode(errors="replace") for key in keys for raw in authentication.get(key) or ())

    def of_certificate(self, certificate: Mapping[str, Any]) -> Client | None:
        """The same for HTTP, by what `ssl.SSLSocket.getpeercert` says."""
        common = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        others = [value for kind, value in certificate.get("subjectAltName", ()) if kind in {"DNS", "URI"}]
        return self._of((*common[:1], *others))  # of several common names gRPC gives the first, too

    def _of(self, given: Iterable[str]) -> Client | None:
        names = tuple(dict.fromkeys(given))
        grants = frozenset[str]().union(*(self._granted.get(name, ()) for name in names))
        return None if EVERYTHING in grants else Client(names=names, grants=grants)


def client_problems(granted: Mapping[str, Sequence[str]] | None, client_ca_file: str | None) -> Iterator[str]:
    """What is wrong with the setting `tls.clients`."""
    if granted is None:
        return
    if client_ca_file is None:
        yield "tls.clients: expected client_ca_file beside it, got none; without it nobody shows a certificate"
    if not granted:
        yield "tls.clients: expected the name of a certificate, got none; name who may send, or leave it out"
    for name, grants in granted.items():
        if not grants:
            yield f"tls.clients[{name!r}]: expected deployments, got none; list some, or leave the name out"
        for grant in grants:
            if not _is_grant(grant):
                yield (
                    f"tls.clients[{name!r}]: expected 'ENDPOINT/DEPLOYMENT', 'ENDPOINT/*' or '*', got {grant[:300]!r}; "
                    "correct it"
                )


def _is_grant(grant: str) -> bool:
    endpoint, slash, deployment = grant.partition("/")
    if not slash:
        return grant == EVERYTHING
    return semconv.is_name(endpoint) and (deployment == EVERYTHING or semconv.is_name(deployment))
