"""The oracles find bugs: each of these is planted, and the bounded run without coverage finds it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from fuzz_target import corpus, first_failure
from targets import target

from otel_modeldata import semconv
from otel_modeldata.validation import problems
from otel_modeldata_receiver.config import receiver
from otel_modeldata_receiver.ingest.pipeline import Pipeline
from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.listeners import http_request, kserve, otlp_json
from otel_modeldata_receiver.mapping import body, cloudevent, event, log_record, resource
from otel_modeldata_receiver.mapping.bounds import outline
from otel_modeldata_receiver.mapping.line_template import scope_templates
from otel_modeldata_receiver.otlp_messages import LogRecord
from otel_modeldata_receiver.storage.folders import known_blobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNS = 3000
pytestmark = pytest.mark.slow
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No log, and no result in a cache that a planted bug made."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
    log_record.collection_of.cache_clear()
    resource._cached.cache_clear()


def _no_allow_list(patch: Patch) -> None:
    patch.setattr(semconv, "is_name", lambda _: True)


def _lines_with_line_breaks(patch: Patch) -> None:
    patch.setattr(body, "_in_one_line", lambda json: json)


def _first_attribute_wins(patch: Patch) -> None:
    original = log_record._attributes

    def reverse(record: LogRecord) -> Any:
        return original(LogRecord(attributes=list(record.attributes)[::-1]))

    patch.setattr(log_record, "_attributes", reverse)


def _templates_without_a_check_of_texts(patch: Patch) -> None:
    patch.setattr(scope_templates, "PLAIN", bytes(range(256)))


def _no_bound_of_a_line(patch: Patch) -> None:
    original = event.outcome_of

    def unbounded(read: event.Event, record: bytes, scope: Any) -> event.Outcome:
        if read.binary:
            return original(read, record, scope)
        return event.PlacedLine(read.folder, Line(read.line.id, cloudevent.encode(read.line, read.extensions)))

    patch.setattr(event, "outcome_of", unbounded)


def _what_is_beyond_a_bound_is_dropped(patch: Patch) -> None:
    patch.setattr(outline.Share, "keep", lambda *_: None)


def _no_hex_ids(patch: Patch) -> None:
    patch.setattr(otlp_json, "_with_base64_ids", lambda record: record)


def _a_record_in_json_is_skipped(patch: Patch) -> None:
    original = otlp_json._removed
    patch.setattr(otlp_json, "_removed", lambda message, signal, level: original(message, signal, level)[: 3 - level])


def _a_refused_body_is_dropped(patch: Patch) -> None:
    async def drop(_: Pipeline, __: bytes, error: Exception, ___: int) -> bytes:
        raise error

    patch.setattr(Pipeline, "_keep_undecodable", drop)


def _the_last_byte_of_a_body_is_cut(patch: Patch) -> None:
    original = kserve.read
    patch.setattr(kserve, "read", lambda headers, kind, sent: original(headers, kind, sent[:-1]))


def _any_error_is_400(patch: Patch) -> None:
    patch.setattr(http_request, "_STATUSES", {Exception: 400})


def _secrets_are_shown(patch: Patch) -> None:
    patch.setattr(problems, "_without_secrets", lambda text: text)


def _repeated_keys_are_accepted(patch: Patch) -> None:
    patch.setattr(receiver, "repeated_keys", lambda _: ())


def _a_cut_line_is_off_by_one(patch: Patch) -> None:
    original = known_blobs.KnownBlobs.learn
    patch.setattr(known_blobs.KnownBlobs, "learn", lambda self, name, start, end: original(self, name, start + 1, end))


def _half_a_line_is_taken_for_a_line(patch: Patch) -> None:
    original = known_blobs.stored_ids

    def learn(lines: Any) -> list[str]:
        return original([line if line.endswith(b"}") else line + b'"}' for line in lines])

    patch.setattr(known_blobs, "stored_ids", learn)


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("otlp_mapper", _no_allow_list),
        ("otlp_mapper", _lines_with_line_breaks),
        ("otlp_mapper", _first_attribute_wins),
        ("otlp_mapper", _templates_without_a_check_of_texts),
        ("otlp_mapper", _no_bound_of_a_line),
        ("otlp_mapper", _what_is_beyond_a_bound_is_dropped),
        ("otlp_json", _no_hex_ids),
        ("otlp_json", _a_record_in_json_is_skipped),
        ("http_listeners", _a_refused_body_is_dropped),
        ("http_listeners", _the_last_byte_of_a_body_is_cut),
        ("http_listeners", _any_error_is_400),
        ("configuration", _secrets_are_shown),
        ("configuration", _repeated_keys_are_accepted),
        ("tail_reader", _a_cut_line_is_off_by_one),
        ("tail_reader", _half_a_line_is_taken_for_a_line),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__.strip("_"),
)
def test_a_planted_bug_is_found(name: str, plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    log_record.collection_of.cache_clear()
    resource._cached.cache_clear()
    plant(monkeypatch)
    assert first_failure(target(name), corpus(name), RUNS) is not None
