"""Who may send for which deployment: the setting `tls.clients`, applied to the certificate of a connection.

A certificate is identified by its names: the subject's common name, and the DNS and URI entries among its alternative
names, compared letter by letter. It may send for every deployment that any of its names may send for. TLS has already
verified that an authority of `client_ca_file` signed it; this module checks nothing else of a certificate, and does not
depend on the connection.

The deployment is the one in the path of the lines; other attributes of a resource are not used. A resource that names
no deployment belongs to none: its records go to quarantine, outside every deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from otel_modeldata import semconv
from otel_modeldata.validation.decoding import Rule

from ..exceptions import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .receiver import TlsConfig

__all__ = ["Client", "Clients", "Grants", "clients_of"]

EVERYTHING: Final = "*"
"""As a grant: every deployment. After the slash of a grant: every deployment of the endpoint."""
_SHOWN_NAMES: Final = 3
_SHOWN_CHARS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A sender that may not send for everything.

    Attributes:
        names: names in its certificate.
        grants: `endpoint/deployment` and `endpoint/*` that it may send for; none where the setting does not list it.
    """

    names: tuple[str, ...]
    grants: frozenset[str]

    def check_known(self) -> None:
        """Raise ForbiddenError unless this client may send for some deployment."""
        if not self.grants:
            raise ForbiddenError(
                f"expected a certificate that tls.clients names, got one of {self._shown}; add it there, or "
                "send with another certificate"
            )

    def check(self, endpoint: str, deployment: str) -> None:
        """Raise ForbiddenError unless this client may send for the deployment."""
        if self.grants.isdisjoint((f"{endpoint}/{deployment}", f"{endpoint}/{EVERYTHING}")):
            raise ForbiddenError(
                f"expected a deployment that tls.clients grants the certificate of {self._shown}, got "
                f"'{endpoint}/{deployment}'; add it there, or send with another certificate"
            )

    @property
    def _shown(self) -> str:
        return " alias ".join(repr(name[:_SHOWN_CHARS]) for name in self.names[:_SHOWN_NAMES]) or "no name"


class Clients:
    """The setting, applied once to each request.

    Args:
        granted: deployments by certificate name, as the setting has them.
    """

    def __init__(self, granted: Mapping[str, Sequence[str]]) -> None:
        self._granted = {name: frozenset(grants) for name, grants in granted.items()}

    def of_call(self, authentication: Mapping[str, Iterable[bytes]]) -> Client | None:
        """The client of a gRPC call, by its `auth_context`; None when it may send for everything."""
        keys = ("x509_common_name", "peer_dns", "peer_uri")
        return self._of(raw.decode(errors="replace") for key in keys for raw in authentication.get(key) or ())

    def of_certificate(self, certificate: Mapping[str, Any]) -> Client | None:
        """The same for HTTP, by the result of `ssl.SSLSocket.getpeercert`."""
        common = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        others = [value for kind, value in certificate.get("subjectAltName", ()) if kind in {"DNS", "URI"}]
        return self._of((*common[:1], *others))  # gRPC, too, returns the first of several common names

    def _of(self, given: Iterable[str]) -> Client | None:
        names = tuple(dict.fromkeys(given))
        grants = frozenset[str]().union(*(self._granted.get(name, ()) for name in names))
        return None if EVERYTHING in grants else Client(names=names, grants=grants)


def _is_grant(grant: str) -> bool:
    endpoint, slash, deployment = grant.partition("/")
    if not slash:
        return grant == EVERYTHING
    return semconv.is_name(endpoint) and (deployment == EVERYTHING or semconv.is_name(deployment))


Grants = Annotated[
    dict[
        str,
        Annotated[
            tuple[Annotated[str, Rule(expected="'ENDPOINT/DEPLOYMENT', 'ENDPOINT/*' or '*'", accepts=_is_grant)], ...],
            Rule(expected="deployments", accepts=bool, advice="list some, or leave the name out"),
        ],
    ],
    Rule(expected="the name of a certificate", accepts=bool, advice="name who may send, or leave it out"),
]
"""The type of the setting `tls.clients`: deployments by certificate name."""


def clients_of(tls: TlsConfig | None) -> Clients | None:
    """Who may send for which deployment; None where everybody may send for all."""
    granted = tls.clients if tls else None
    return None if granted is None else Clients(granted)
