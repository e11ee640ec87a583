"""Reads `OTEL_EXPORTER_OTLP_HEADERS` into pairs that gRPC sends, or refuses it.

The values are credentials. OpenTelemetry's own parser logs an entry that it cannot read, and then sends requests
without it, so it is not used here; what it accepts is read in the same way. No message repeats any part of an entry
that cannot be read, because a token may be in every part of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from ..validation.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .variables import Variable

Pairs = tuple[tuple[str, str], ...]

_NAME: Final = re.compile(r"[0-9a-z_.-]+")
"""Names of gRPC's metadata ("Custom-Metadata" in its specification of HTTP/2)."""
_ENCODED: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")
"""A value as OTLP defines it: percent-encoded."""
_PLAIN: Final = re.compile(r"[ !#-+\--:<-\[\]-~]*")
"""A value with spaces, as many write it: it is not percent-decoded, as in OpenTelemetry."""
_SENDABLE: Final = re.compile(r"[ -~]+")
"""Values of gRPC's metadata: printable ASCII."""
_OF_GRPC: Final = frozenset(
    {
        *("te", "content-type", "content-length", "user-agent", "host"),
        # RFC 9113, 8.2.2: not in HTTP/2
        *("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"),
    }
)
"""Headers that gRPC sets or drops itself."""
_SCHEME_ALONE: Final = re.compile(r"basic|bearer|token|api-?key|negotiate|digest", re.IGNORECASE)
"""What is left of credentials whose variable was empty where a shell replaced it."""
_UNFILLED: Final = re.compile(r"(.* )?(\$\{[^{}]*\}|\$\([^()]*\)|\$[A-Z_][A-Z0-9_]*|\{\{.*\}\}|<[^<>]*>|%[A-Z_]+%)")
"""A value that ends in a variable that no shell has replaced, or in a placeholder."""
_WORDS_OF_NAMES: Final = frozenset(
    {
        *("access", "account", "api", "apikey", "app", "auth", "authorization", "client", "cookie", "database"),
        *("dataset", "dd", "env", "environment", "honeycomb", "id", "ingest", "ingestion", "key", "license", "list"),
        *("name", "org", "organization", "orgid", "otlp", "project", "proxy", "scope", "secret", "service", "session"),
        *("signoz", "stream", "team", "tenant", "token", "trace", "uptrace", "user", "version", "workspace", "x"),
    }
)
"""Only names of these words are in messages: any other one may be a token."""
_SEPARATORS: Final = re.compile(r"[-_.]")
_VARIABLE: Final = "otel_exporter_otlp_"
"""The beginning of an entry that was pasted with its variable, in lower case."""
_AUTHORIZATION: Final = "authorization"
_COLON_FORM: Final = re.compile(r"\s*[\w-]+\s*:")


def read_headers(text: str, variable: Variable) -> tuple[Pairs, tuple[Problem, ...]]:
    """The headers in a variable, and everything that is wrong with it.

    Args:
        text: the value of the variable.
        variable: for the problems.
    """
    headers: dict[str, str] = {}
    problems = []
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        pair = _pair(entry)
        if isinstance(pair, str):
            problems.append(Problem(variable.name, f"expected {variable.unit}, in entry {number} got {pair}"))
        else:
            headers.update((pair,))
    return tuple(headers.items()), tuple(problems)


def _pair(entry: str) -> tuple[str, str] | str:
    """Name and value of an entry, or what is wrong with it and what to do."""
    if entry[0] in "\"'":
        return "quotes: remove them, because env files and YAML blocks pass them on"
    name, equals, value = (part.strip() for part in entry.partition("="))
    name = unquote(name).strip().lower()
    if not equals or _NAME.fullmatch(name) is None:
        cure = "write 'name=value'" if _COLON_FORM.match(entry) else "write 'name=value', a space as %20"
        return f"an entry without a name that gRPC sends: {cure}"
    if reason := next(_not_meant(name, value), ""):
        return reason
    if _ENCODED.fullmatch(value):
        value = unquote(value).strip()
    elif _PLAIN.fullmatch(value) is None:
        return f"a value{_of(name)} with characters that must be percent-encoded: encode it"
    return next(_wrong(name, value), (name, value))


def _not_meant(name: str, value: str) -> Iterator[str]:
    """What is not meant as a value, and would be sent as one."""
    if name.startswith(_VARIABLE):
        yield "the name of a variable before it: write only what follows it"
    elif len(value) > 1 and value[0] == value[-1] == "'":
        yield f"quotes around the value{_of(name)}: remove them, or write them as %27"
    elif _UNFILLED.fullmatch(value):
        yield f"a variable or placeholder in place of the value{_of(name)}: write the value, a '$' in it as %24"


def _wrong(name: str, value: str) -> Iterator[str]:
    if not value.strip("="):  # else a bare token in base64, which ends with "=", would be a name
        yield "a header without a value: give it one, or remove it"
    elif name == _AUTHORIZATION and _SCHEME_ALONE.fullmatch(value):
        yield f"a value of {name!r} that has a scheme and nothing after it: add the credentials, or remove it"
    elif _SENDABLE.fullmatch(value) is None:
        yield f"a value{_of(name)} that gRPC cannot send: use printable ASCII characters"
    elif name.endswith("-bin"):
        yield "a name that ends in '-bin', which says that its value is bytes: choose another name"
    elif name in _OF_GRPC:
        yield f"{name!r}, which gRPC sets itself: remove it"
    elif name.startswith("grpc-"):
        yield "a name that begins with 'grpc-', as those that gRPC sets itself: remove it"


def _of(name: str) -> str:
    """Which header, for a message."""
    return f" of {name!r}" if _WORDS_OF_NAMES.issuperset(_SEPARATORS.split(name)) else ""
