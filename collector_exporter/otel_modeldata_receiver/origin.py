"""Where records come from: what one OTel resource says about the deployment, decided once and cached by its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_modeldata import semconv

from . import otlp
from .exceptions import BadRecordError
from .rolling import RollingRate

_URI_CHARACTERS: Final = "/:?#[]@!$&'()*+,;=%~"
"""RFC 3986 section 2.2 and `%`, beside the unreserved characters that `quote` leaves alone."""
_UNKNOWN_SERVICE: Final = "unknown_service"
"""What every OTel SDK says when nobody named the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A deployment as its resource describes it.

    Attributes:
        endpoint: checked name, first segment of the blob path.
        deployment: checked name, second segment.
        source: CloudEvents `source`, a URI reference.
        rolling_rate: what the deployment asks for, if it asks for a known rate.
        producer: the process, if it names itself.
    """

    endpoint: str
    deployment: str
    source: str
    rolling_rate: RollingRate | None
    producer: str | None


@lru_cache(maxsize=1024)
def read(resource: bytes) -> Origin:
    """The origin that an encoded `Resource` describes.

    Raises:
        BadRecordError: a name that cannot become part of a path; it holds for every record of the resource.
    """
    texts = _texts(resource)
    service = texts.get(semconv.SERVICE_NAME, "")
    if service.startswith(_UNKNOWN_SERVICE):
        service = ""
    endpoint = checked_name("endpoint", texts.get(semconv.AZUREML_ENDPOINT_NAME, service or semconv.DEFAULT_ENDPOINT))
    deployment = checked_name("deployment", texts.get(semconv.AZUREML_DEPLOYMENT_NAME, semconv.DEFAULT_DEPLOYMENT))
    source = texts.get(semconv.CLOUD_RESOURCE_ID) or semconv.local_source(endpoint, deployment)
    return Origin(
        endpoint=endpoint,
        deployment=deployment,
        source=quote(source, safe=_URI_CHARACTERS),
        rolling_rate=RollingRate.parse(texts.get(semconv.AZUREML_ROLLING_RATE, "")),
        producer=texts.get(semconv.SERVICE_INSTANCE_ID),
    )


def checked_name(what: str, name: str) -> str:
    """`name`, if it may become a segment of a path.

    Raises:
        BadRecordError: it may not; nothing outside the allow-list ever reaches a path.
    """
    if not semconv.is_name(name):
        raise BadRecordError(f"name: expected as {what} {semconv.NAME_RULE}, got {name[:80]!r}; rename the {what}")
    return name


_OURS: Final = frozenset(
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
    for attribute in Resource.FromString(resource).attributes:
        if attribute.key in _OURS:
            text = otlp.text_of(attribute.key, attribute.value)
            if text is not None:
                texts[attribute.key] = text
    return texts
