"""An OTel resource: the deployment that it describes, read once and cached by its bytes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

import msgspec
from google.protobuf.message import DecodeError

from otel_modeldata import semconv

from ..exceptions import BadRecordError
from ..layout.partition import RollingRate
from ..otlp_messages import Resource
from . import otlp
from .bounds.record_cost import count_values

_URI_CHARACTERS: Final = "/:?#[]@!$&'()*+,;=%~"
"""RFC 3986 section 2.2 and `%`, in addition to the unreserved characters that `quote` keeps."""
MAX_TEXT_CHARS: Final = 2048
"""One resource is repeated in the line of every record under it: a large text would multiply."""
MAX_VALUES: Final = 8_000
"""Attributes of a resource, and values in them; the arguments of a process may be thousands."""
_MAX_CACHED_BYTES: Final = 16 * 1024
"""1024 resources of this size are remembered at most."""
_SMALL_BYTES: Final = 1024
"""Most resources are smaller; of these 16 times as many are remembered, in 70 MB at most."""
_SEPARATORS: Final = re.compile(r"[/\\?#;&]")
"""What may begin a segment for one of the readers of a source."""
_ENDPOINTS: Final = frozenset({"endpoints", "onlineendpoints"})
"""The segment before the name of an endpoint, in an ARM id or in `semconv.local_source`; Azure ignores the case."""
_MAX_DECODINGS: Final = 8
_UNKNOWN_SERVICE: Final = "unknown_service"
"""The service name that every OTel SDK sends when none is set."""


class DeploymentResource(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """A deployment as its resource describes it.

    Attributes:
        endpoint: checked name, first segment of the blob path.
        deployment: checked name, second segment.
        source: CloudEvents `source`, a URI reference; it names this deployment or none.
        rolling_rate: the rate that the deployment asks for, if it is a known one.
        producer: the process, if it names itself.
    """

    endpoint: str
    deployment: str
    source: str
    rolling_rate: RollingRate | None
    producer: str | None

    @property
    def tenant(self) -> str:
        """`endpoint/deployment`."""
        return f"{self.endpoint}/{self.deployment}"


class ReadResource(msgspec.Struct, frozen=True, kw_only=True):
    """A resource after it was read.

    Attributes:
        encoded: its bytes.
        result: the deployment, or the error that holds for every record of the resource.
        tenant: `endpoint/deployment`; empty if unknown.
    """

    encoded: bytes
    result: DeploymentResource | Exception
    tenant: str = ""


def try_read(resource: bytes) -> ReadResource:
    """Read an encoded `Resource`; an error is part of the result. For a known one this costs a dictionary look-up."""
    try:
        if len(resource) <= _SMALL_BYTES:
            return _cached(resource)
        return _cached_large(resource) if len(resource) <= _MAX_CACHED_BYTES else _read_whole(resource)
    except Exception as error:  # noqa: BLE001 (error boundary: a bug costs only the records of this resource)
        return ReadResource(encoded=resource, result=error)


def read(resource: bytes) -> DeploymentResource:
    """The deployment that an encoded `Resource` describes.

    Raises:
        BadRecordError: `resource` does not decode, or a name cannot become part of a path; this holds for every record.
    """
    texts = _texts(resource)
    service = texts.get(semconv.SERVICE_NAME, "")
    service = "" if service.startswith(_UNKNOWN_SERVICE) else semconv.legal_name(service.strip())
    endpoint = checked_name("endpoint", texts.get(semconv.AZUREML_ENDPOINT_NAME, service or semconv.DEFAULT_ENDPOINT))
    deployment = checked_name("deployment", texts.get(semconv.AZUREML_DEPLOYMENT_NAME, semconv.DEFAULT_DEPLOYMENT))
    source = quote(texts.get(semconv.CLOUD_RESOURCE_ID, ""), safe=_URI_CHARACTERS)
    if not source or not _may_be_of(source, endpoint, deployment):
        source = quote(semconv.local_source(endpoint, deployment), safe=_URI_CHARACTERS)
    return DeploymentResource(
        endpoint=endpoint,
        deployment=deployment,
        source=source,
        rolling_rate=RollingRate.parse(texts.get(semconv.AZUREML_ROLLING_RATE, "")),
        producer=texts.get(semconv.SERVICE_INSTANCE_ID),
    )


def _read_whole(resource: bytes) -> ReadResource:
    deployment = read(resource)
    return ReadResource(encoded=resource, result=deployment, tenant=deployment.tenant)


_cached: Final = lru_cache(maxsize=16_384)(_read_whole)
_cached_large: Final = lru_cache(maxsize=1024)(_read_whole)


def _may_be_of(source: str, endpoint: str, deployment: str) -> bool:
    """Whether `source` names this deployment, or none (a virtual machine, for example).

    The sender may write for the deployment, which the folder of its lines shows. It has no right to the name of another
    one, in whose account its lines would be counted. A reader may decode the source, resolve dots in it (RFC 3986
    section 6.2.2) and drop empty segments, which Azure's own ids may have; so each form must name this deployment.
    """
    segments = [segment for segment in _SEPARATORS.split(_decoded(source).lower()) if segment]
    at = [index for index, segment in enumerate(segments) if segment.strip() in _ENDPOINTS]
    if not at:
        return True
    if not {".", ".."}.isdisjoint(segments):
        return False
    for index in at:
        named, word, name = (*segments[index + 1 : index + 4], "", "", "")[:3]
        if named != endpoint.lower() or (word == "deployments" and name not in {"", deployment.lower()}):
            return False
    return True


def _decoded(source: str) -> str:
    """`source` without percent-encoding, also where it was encoded more than once."""
    for _ in range(_MAX_DECODINGS):
        decoded = unquote(source)
        if decoded == source:
            return source
        source = decoded
    return "/endpoints"  # no honest id is like this: it counts as one of another deployment


def checked_name(what: str, name: str) -> str:
    """`name`, if it may become a segment of a path.

    Raises:
        BadRecordError: it may not; only names of the allow-list ever reach a path.
    """
    if not semconv.is_name(name):
        raise BadRecordError(f"name: expected as {what} {semconv.NAME_RULE}, got {name[:80]!r}; rename the {what}")
    return name


def _bounded(key: str, text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        raise BadRecordError(
            f"name: expected at most {MAX_TEXT_CHARS} characters as {key}, got {len(text)}; shorten the resource"
        )
    return text


_READ: Final = frozenset(
    {
        semconv.SERVICE_NAME,
        semconv.SERVICE_INSTANCE_ID,
        semconv.CLOUD_RESOURCE_ID,
        semconv.AZUREML_ENDPOINT_NAME,
        semconv.AZUREML_DEPLOYMENT_NAME,
        semconv.AZUREML_ROLLING_RATE,
    }
)


def _texts(resource: bytes) -> dict[str, str]:
    texts = {}
    if count_values(resource, "Resource", MAX_VALUES) > MAX_VALUES:  # it is read before its request is admitted
        raise BadRecordError(
            f"resource too large: expected at most {MAX_VALUES} attributes and values in a resource, got more in "
            f"{len(resource)} bytes; shorten it"
        )
    try:
        attributes = Resource.FromString(resource).attributes
    except DecodeError:
        raise BadRecordError("undecodable Resource: expected Protocol Buffers, got something else") from None
    for attribute in attributes:
        if attribute.key in _READ:
            text = otlp.text_of(attribute.key, attribute.value)
            if text is not None:
                texts[attribute.key] = _bounded(attribute.key, text)
    return texts
