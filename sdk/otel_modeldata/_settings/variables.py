"""The table of all environment variables that the SDK reads: accepted values, default and meaning.

Error messages, `otel-modeldata check --environment` and the documentation use this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..config import AZURE_CONFIG_VARIABLE, CONFIG_VARIABLE, LEGACY_VARIABLE
from ..validation.problems import Problem, closest

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB: Final = 2**20
DEFAULT_QUEUE_BYTES: Final = 128 * MIB
DEFAULT_SPOOL_BYTES: Final = 1024 * MIB
DEFAULT_BATCH_MS: Final = 100
MAX_BATCH_MS: Final = 10_000
DEFAULT_PAYLOAD_BYTES: Final = 10 * MIB
DEFAULT_TIMEOUT_SECONDS: Final = 30.0
"""For one try. OTLP's default is 10 s, but a gateway without a queue answers only after the receiver's append."""
LONG_TIMEOUT_SECONDS: Final = 300.0
"""A longer time for one try is a mistake in most cases, and the longest that is used for a value in milliseconds."""
MIN_MILLISECONDS: Final = 1000
"""From here on a timeout is read as milliseconds, the unit of OTLP's specification and of other SDKs."""
MAX_PAYLOAD_BYTES: Final = 60 * MIB
"""One record may hold 64 MiB (`DeliveryLimits.record_bytes`), its attributes included."""

_PREFIXES: Final = ("OTEL_", "AZUREML_MDC_")
_SAME_NAME: Final = 0.92
"""How similar an unknown variable must be to a known one to be reported; variables of gateway and agent, and of
other exporters, share the prefixes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable.

    Attributes:
        name: of the variable.
        unit: the accepted values; completes "expected ..." in an error.
        default: the value when it is not set.
        meaning: what it does.
    """

    name: str
    unit: str
    default: str
    meaning: str

    def problem(self, given: str) -> Problem:
        """The problem of a value that the variable does not accept.

        Args:
            given: the value for the message, see `problems.shown`.
        """
        return Problem(self.name, f"expected {self.unit}, got {given}")


CONFIG: Final = Variable(
    name=CONFIG_VARIABLE,
    unit="a file",
    default="none: every collection is on, at 100 %",
    meaning="the deployment YAML, or a YAML with a data_collector block: which collections are collected",
)
STORE: Final = Variable(
    name="OTEL_MODELDATA_STORE",
    unit="a folder or a store URL",
    default="none: records are sent to the endpoint",
    meaning="write into this store from the same process, without a receiver; wins over the endpoint",
)
STORE_CONFIG: Final = Variable(
    name="OTEL_MODELDATA_STORE_CONFIG",
    unit="a file",
    default="none",
    meaning="receiver settings (YAML) that also apply to OTEL_MODELDATA_STORE",
)
QUEUE_BYTES: Final = Variable(
    name="OTEL_MODELDATA_QUEUE_BYTES",
    unit="bytes above 0",
    default=f"{DEFAULT_QUEUE_BYTES} ({DEFAULT_QUEUE_BYTES // MIB} MiB)",
    meaning="memory that waiting records take; at most a quarter of it is for records that are being sent",
)
OVERFLOW: Final = Variable(
    name="OTEL_MODELDATA_OVERFLOW",
    unit="report, spill or block:MILLISECONDS",
    default="report",
    meaning="what collect does when the queue is full: raise at once, write to the spool, or wait for room first",
)
SPOOL: Final = Variable(
    name="OTEL_MODELDATA_SPOOL",
    unit="a folder, or a path where one can be made",
    default="none: records wait in memory",
    meaning="folder on a local disk in which records wait, so that they survive the process",
)
SPOOL_BYTES: Final = Variable(
    name="OTEL_MODELDATA_SPOOL_BYTES",
    unit="bytes above 0",
    default=f"{DEFAULT_SPOOL_BYTES} ({DEFAULT_SPOOL_BYTES // MIB} MiB)",
    meaning="maximum bytes of this process in the spool",
)
BATCH_MS: Final = Variable(
    name="OTEL_MODELDATA_BATCH_MS",
    unit=f"0 to {MAX_BATCH_MS} milliseconds",
    default=str(DEFAULT_BATCH_MS),
    meaning="how long frames of one collection, correlation id and trace may join one event; 0 sends each separately",
)
REPORT: Final = Variable(
    name="OTEL_MODELDATA_REPORT",
    unit="a folder, or a path where one can be made",
    default="none",
    meaning="folder for {producer}.json with the final counts, for `otel-modeldata audit`",
)
SIGTERM: Final = Variable(
    name="OTEL_MODELDATA_SIGTERM",
    unit="deliver or leave",
    default="deliver",
    meaning="what SIGTERM does if the application has no handler for it: deliver waiting events, then end as before; "
    "leave installs no handler",
)
COLUMN_CASE: Final = Variable(
    name="OTEL_MODELDATA_COLUMN_CASE",
    unit="warn or rename",
    default="warn",
    meaning="columns equal up to case, or to correlationid, make Azure's monitor refuse its whole window: warn once, "
    "or give them numbers (X, x_1)",
)
PAYLOAD_BYTES: Final = Variable(
    name="OTEL_MODELDATA_PAYLOAD_BYTES",
    unit=f"bytes from 0 to {MAX_PAYLOAD_BYTES}",
    default=f"{DEFAULT_PAYLOAD_BYTES} ({DEFAULT_PAYLOAD_BYTES // MIB} MiB)",
    meaning="payload logging: bytes kept of each body; 0 keeps none",
)
PAYLOAD_PATHS: Final = Variable(
    name="OTEL_MODELDATA_PAYLOAD_PATHS",
    unit="paths that begin with / or *, separated by commas",
    default="all but probes",
    meaning="payload logging: paths whose requests are collected, for example /score,/v1/models/*",
)
ENDPOINT: Final = Variable(
    name="OTEL_EXPORTER_OTLP_ENDPOINT",
    unit="http://HOST:PORT, or https://HOST:PORT for TLS",
    default="http://localhost:4317",
    meaning="where records are sent over gRPC; HOST:PORT needs OTEL_EXPORTER_OTLP_INSECURE",
)
INSECURE: Final = Variable(
    name="OTEL_EXPORTER_OTLP_INSECURE",
    unit="true or false",
    default="none: the scheme of the endpoint decides",
    meaning="for an endpoint without a scheme: true for plain text, false for TLS",
)
PROTOCOL: Final = Variable(
    name="OTEL_EXPORTER_OTLP_PROTOCOL",
    unit="grpc",
    default="grpc",
    meaning="the protocol; records always use gRPC, so another value needs OTEL_EXPORTER_OTLP_LOGS_ENDPOINT to be set, "
    "and OTEL_EXPORTER_OTLP_LOGS_PROTOCOL may only be grpc",
)
HEADERS: Final = Variable(
    name="OTEL_EXPORTER_OTLP_HEADERS",
    unit="name=value pairs, percent-encoded and separated by commas",
    default="none",
    meaning="headers of each request, for example authorization=Bearer%20TOKEN",
)
TOKEN_FILE: Final = Variable(
    name="OTEL_MODELDATA_TOKEN_FILE",
    unit="a file with a token",
    default="none",
    meaning="sent as the header `authorization: Bearer TOKEN`, and read again when it changes; a content with a space, "
    "like `Basic abc`, is sent as it is",
)
COMPRESSION: Final = Variable(
    name="OTEL_EXPORTER_OTLP_COMPRESSION",
    unit="none or gzip",
    default="none",
    meaning="how requests are compressed",
)
TIMEOUT: Final = Variable(
    name="OTEL_EXPORTER_OTLP_TIMEOUT",
    unit="seconds above 0",
    default=f"{DEFAULT_TIMEOUT_SECONDS:g}",
    meaning="how long one try may take, in seconds as in OpenTelemetry's Python SDK; above "
    f"{LONG_TIMEOUT_SECONDS:g} with a warning, and from {MIN_MILLISECONDS} as milliseconds, as in OTLP's specification",
)
CERTIFICATE: Final = Variable(
    name="OTEL_EXPORTER_OTLP_CERTIFICATE",
    unit="a PEM file",
    default="none: the authorities of the system",
    meaning="certificate authority that signed the endpoint's certificate; read again when it changes",
)
CLIENT_KEY: Final = Variable(
    name="OTEL_EXPORTER_OTLP_CLIENT_KEY",
    unit="a PEM file",
    default="none",
    meaning="private key of this client, for mTLS; read again when it changes",
)
CLIENT_CERTIFICATE: Final = Variable(
    name="OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    unit="a PEM file",
    default="none",
    meaning="certificate of this client, for mTLS; read again when it changes",
)

VARIABLES: Final[tuple[Variable, ...]] = (
    *(CONFIG, STORE, STORE_CONFIG, QUEUE_BYTES, OVERFLOW, SPOOL, SPOOL_BYTES, BATCH_MS, REPORT, SIGTERM),
    *(COLUMN_CASE, PAYLOAD_BYTES, PAYLOAD_PATHS),
    *(ENDPOINT, INSECURE, PROTOCOL, HEADERS, TOKEN_FILE, COMPRESSION, TIMEOUT),
    *(CERTIFICATE, CLIENT_KEY, CLIENT_CERTIFICATE),
    Variable(
        name="OTEL_SERVICE_NAME",
        unit="a name",
        default="local",
        meaning="the endpoint's name if the configuration has no endpoint_name; characters that a folder cannot have "
        "become '-' (read by the OpenTelemetry SDK)",
    ),
    Variable(
        name="OTEL_RESOURCE_ATTRIBUTES",
        unit="name=value pairs, percent-encoded and separated by commas",
        default="none",
        meaning="attributes of every event; azureml.endpoint.name and azureml.deployment.name name its folder (read by "
        "the OpenTelemetry SDK)",
    ),
    Variable(
        name=AZURE_CONFIG_VARIABLE,
        unit="a file",
        default="none",
        meaning="the JSON file that Azure's host writes; used without OTEL_MODELDATA_CONFIG",
    ),
    Variable(
        name=LEGACY_VARIABLE,
        unit="true or false",
        default="true",
        meaning="azureml-ai-monitoring's switch for all collections; used without the two files",
    ),
    Variable(
        name="AZUREML_MDC_SAMPLE_RATE",
        unit="a number from 0 to 100",
        default="100",
        meaning="with AZUREML_MDC_ENABLED: percentage of correlation ids that are collected",
    ),
    Variable(
        name="AZUREML_MDC_QUEUE_CAPACITY",
        unit="a whole number",
        default="none",
        meaning="with AZUREML_MDC_ENABLED: maximum number of events in the queue, beside the limit in bytes",
    ),
    Variable(
        name="AZUREML_MDC_LOCAL_CAPTURE",
        unit="true or false",
        default="false",
        meaning="with AZUREML_MDC_ENABLED: print events instead of sending them",
    ),
    Variable(
        name="AZUREML_MDC_DEBUG",
        unit="true or false",
        default="false",
        meaning="collect returns a context with is_success() and get_message()",
    ),
)
"""Each `OTEL_EXPORTER_OTLP_NAME` may be written `OTEL_EXPORTER_OTLP_LOGS_NAME`, which takes precedence."""

_OTLP: Final = "OTEL_EXPORTER_OTLP_"
_NAMES: Final = (
    *(variable.name for variable in VARIABLES),
    *(f"{_OTLP}LOGS_{variable.name.removeprefix(_OTLP)}" for variable in VARIABLES if variable.name.startswith(_OTLP)),
)
_OF_OTHER_SIGNALS: Final = ("_TRACES_", "_METRICS_", "_PROFILES_", "_SPAN_")


def misspelled(environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """Variables that are not read and are similar to one that is."""
    unknown = [
        name
        for name in sorted(environ)
        if name.startswith(_PREFIXES) and name not in _NAMES and not any(other in name for other in _OF_OTHER_SIGNALS)
    ]
    close = {name: closest(name, _NAMES, cutoff=_SAME_NAME) for name in unknown}
    return tuple(
        Problem(name, f"this variable is not read; did you mean {known}?")
        for name, known in close.items()
        if known is not None
    )
