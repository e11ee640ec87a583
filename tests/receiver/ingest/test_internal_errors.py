"""Internal errors affect only what causes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from held_pipeline import FULL_SUCCESS, INPUTS, LOGS_BY_GRPC, bytes_at, fixture, inputs
from otlp_requests import NOON, record, request

from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import (
    InternalError,
)
from otel_modeldata_receiver.mapping import body
from otel_modeldata_receiver.mapping import resource as origin
from otel_modeldata_receiver.mapping.line_template import scope_templates

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.anyio


async def test_an_internal_error_affects_only_the_record_that_causes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = body.rows_of

    def defective(text: bytes, **options: bool) -> bytes:
        if b"odd" in text:
            raise KeyError("S3CRET of a record")
        return real(text, **options)

    monkeypatch.setattr(body, "rows_of", defective)
    odd = [record('[{"odd":\n1}]', event_id=one, time_ns=NOON) for one in ("2", "3")]
    async with fixture(tmp_path) as made:
        answer = await made.accept(request(*inputs("1"), *odd, *inputs("4")))
        reason = "defect: expected to make a line, got KeyError; report it with the receiver's log"
        assert (answer.partial_success.rejected_log_records, answer.partial_success.error_message) == (2, reason)
        assert made.ids(INPUTS) == ["1", "4"]
        assert [line["reason"] for line in made.lines("_quarantine/2026/11/22/12")] == [reason] * 2
        assert made.recorded.values()["otel_modeldata.quarantined"] == {(("reason", "defect"),): 2}
    assert caplog.messages == [
        "internal error (a bug): KeyError: records are in quarantine, or were mapped one by one",
        "2 records went to _quarantine: defect",
    ]
    assert "in defective" in caplog.text


async def test_an_internal_error_about_adjacent_records_costs_none_of_them_and_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def defective(*_: object, **__: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(scope_templates, "made", defective)
    async with fixture(tmp_path) as made:
        for first in (0, 100, 200):  # a shape is known after two records of it
            answer = await made.accept(request(*inputs(*map(str, range(100 + first, 120 + first)))))
            assert answer == FULL_SUCCESS
        assert len(made.ids(INPUTS)) == 60
    assert caplog.messages == [
        "internal error (a bug): TypeError: records are in quarantine, or were mapped one by one",
    ]


async def test_an_internal_error_about_a_resource_affects_only_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = origin.read

    def defective(resource: bytes) -> origin.DeploymentResource:
        if b"odd" in resource:
            raise RuntimeError("a bug")
        return real(resource)

    monkeypatch.setattr(origin, "read", defective)
    odd = request(*inputs("1"), resource_values={semconv.AZUREML_ENDPOINT_NAME: "odd"})
    async with fixture(tmp_path) as made:
        answer = await made.accept(odd + request(*inputs("2")))
        assert answer.partial_success.rejected_log_records == 1
        assert made.ids(INPUTS) == ["2"]
        assert len(made.lines("_quarantine/2026/11/22/12")) == 1


async def test_rows_are_quarantined_if_their_object_name_has_other_content(tmp_path: Path) -> None:
    big = record(json.dumps([{"x": "a" * 5_000_000}]), event_id="big", time_ns=NOON)
    async with fixture(tmp_path) as made:
        assert await made.accept(request(big)) == FULL_SUCCESS
        (kept,) = (tmp_path / INPUTS / "files").iterdir()
        kept.write_text("of another writer")
    async with fixture(tmp_path) as made:  # a new sink does not remember stored objects
        again = request(big, *inputs("2"))
        answer = await made.accept(again)
        assert answer.partial_success.error_message.startswith("defect: expected to make a line, got ValueError")
        assert made.ids(INPUTS) == ["big", "2"]
        (line,) = made.lines("_quarantine/2026/11/22/12")
        assert bytes_at(line["recordref"]) == big.SerializeToString()


async def test_an_unexpected_error_is_answered_as_an_internal_one_and_counted_by_its_type(tmp_path: Path) -> None:
    async def read() -> bytes:
        raise KeyError("S3CRET")

    async with fixture(tmp_path) as made:
        with pytest.raises(InternalError, match=r"^unexpected KeyError in the receiver, see its log; send again$"):
            await made.pipeline.receive(read, LOGS_BY_GRPC)
        assert made.recorded.values()["otel_modeldata.refused_requests"] == {
            (("error.type", "KeyError"), ("transport", "grpc")): 1
        }
