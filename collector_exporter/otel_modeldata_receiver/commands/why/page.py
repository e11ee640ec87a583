"""Pages of the receiver and of a gateway: their text, and the metrics in it. What a page may have is bounded."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from otel_modeldata.validation.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Metrics", "NoPageError", "Page", "metrics_of", "read_page"]

_SECONDS: Final = 5.0
_MOST_SECONDS: Final = 15.0
_MOST_BYTES: Final = 16 << 20
_PIECE_BYTES: Final = 64 << 10


class NoPageError(Exception):
    """There is no answer, or none that can be read; the message is what was got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer.

    Attributes:
        status: of HTTP.
        text: its body.
    """

    status: int
    text: str


class Metrics:
    """The samples of a metrics page.

    Args:
        samples: each with its labels and its value, by name.
    """

    def __init__(self, samples: Mapping[str, Sequence[tuple[Mapping[str, str], float]]]) -> None:
        self._samples = samples

    def by(self, name: str, *labels: str, **only: str) -> dict[str, float]:
        """The sums of a metric by the values of labels, joined by `/`; only of the samples that have these values.

        Counters may end with `_total` or not: OpenTelemetry Collectors have written both.
        """
        found: dict[str, float] = defaultdict(float)
        for given, value in (*self._samples.get(name, ()), *self._samples.get(f"{name}_total", ())):
            if all(given.get(label) == wanted for label, wanted in only.items()):
                found["/".join(given.get(label, "") for label in labels)] += value
        return dict(found)

    def total(self, name: str, **only: str) -> float:
        """The sum of a metric, of the samples that have these labels; 0 without any."""
        return sum(self.by(name, **only).values())


def read_page(url: str) -> Page:
    """The page at an `http://` or `https://` URL.

    Raises:
        NoPageError: it does not answer, or its answer is too large.
    """
    until = time.monotonic() + _MOST_SECONDS
    try:
        is_near = is_loopback(urlsplit(url).hostname or "")
        opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if is_near else []))
        with opener.open(url, timeout=_SECONDS) as answer:
            return Page(status=answer.status, text=_bounded(answer, until))
    except urllib.error.HTTPError as error:
        with error:
            return Page(status=error.code, text=_bounded(error, until))
    except urllib.error.URLError as error:
        raise NoPageError(str(error.reason)) from None
    except http.client.HTTPException as error:
        raise NoPageError(f"an answer that is no HTTP ({type(error).__name__})") from None
    except (OSError, ValueError) as error:
        raise NoPageError(str(error) or type(error).__name__) from None


def metrics_of(text: str) -> Metrics:
    """The metrics of a page in Prometheus's text format.

    Raises:
        NoPageError: it is no such page.
        ImportError: Prometheus's client is not installed.
    """
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 (of the extra `receiver`)

    samples: dict[str, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples[sample.name].append((sample.labels, sample.value))
    except (ValueError, IndexError, KeyError):
        raise NoPageError("a page that is not in Prometheus's format") from None
    return Metrics(samples)


def _bounded(answer: http.client.HTTPResponse | urllib.error.HTTPError, until: float) -> str:
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(_PIECE_BYTES):
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise NoPageError(f"more than {_MOST_BYTES:,} bytes")
        if time.monotonic() > until:
            raise NoPageError(f"an answer that did not end within {_MOST_SECONDS:g} s")
    return b"".join(parts).decode(errors="replace")
