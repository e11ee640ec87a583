"""Names in Prometheus, by OpenTelemetry's rules."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.telemetry.prometheus_name import family_name, label_name


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("otel_modeldata.in_flight", "By", "otel_modeldata_in_flight_bytes"),
        ("otel_modeldata.append.bytes", "By", "otel_modeldata_append_bytes"),
        ("otel_modeldata.append.duration", "s", "otel_modeldata_append_duration_seconds"),
        ("otel_modeldata.appends", "{appends}", "otel_modeldata_appends"),
        ("otel_modeldata.ready", "", "otel_modeldata_ready"),
    ],
)
def test_a_name_ends_with_its_unit_once(name: str, unit: str, expected: str) -> None:
    assert family_name(name, unit) == expected


def test_an_attribute_has_underscores_only() -> None:
    assert label_name("error.type") == "error_type"


@pytest.mark.parametrize(
    ("key", "expected"),
    [("1st", "key_1st"), ("", "key_"), ("__name__", "key__name__"), ("\u043a", "_"), ("a-b", "a_b")],
)
def test_a_label_is_one_that_the_format_allows(key: str, expected: str) -> None:
    assert label_name(key) == expected
