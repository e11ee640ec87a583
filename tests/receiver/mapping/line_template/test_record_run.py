"""Adjacent records that are mapped together make the lines that each of them makes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from otlp_requests import NOON, ROWS, backwards, raw_request
from template_records import OTHER_UUID, UUID, by_both_ways, in_turn, mapped, ordinary, scope

from otel_modeldata import semconv
from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping.line_template.scope_templates import ScopeTemplates
from otel_modeldata_receiver.mapping.line_template.template_cache import TemplateCache
from otel_modeldata_receiver.mapping.log_record_mapper import LogRecordMapper
from otel_modeldata_receiver.mapping.request import decode, map_records
from otel_modeldata_receiver.mapping.signal import LogRecords

if TYPE_CHECKING:
    from collections.abc import Sequence

SECOND = 10**9
DAMAGES = [
    (b"", b""),
    (UUID.encode(), b'quo"te'.ljust(36)),
    (OTHER_UUID.encode(), "é".encode() * 18),
    (b"t" * 16, bytes(16)),
    (NOON.to_bytes(8, "little"), bytes(8)),
    (NOON.to_bytes(8, "little"), (1).to_bytes(8, "little")),
    (b"model_inputs", b"model_outpu/"),
    (b"model_inputs", b"model_output"),
    (ROWS.encode(), b"x" * len(ROWS)),
    (ROWS.encode(), b"[{}]".center(len(ROWS))),
    (ROWS.encode(), ROWS.replace("42", "4\n").encode()),
    (ROWS.encode(), ROWS.replace("1234.5", "1e9999").encode()),
    (ROWS.encode(), ROWS.replace("income", "1234é").encode()),
    (ROWS.encode(), ROWS.encode().replace(b"income", b"inco\xff\xff")),
]
"""What is ordinary, and what takes its place in the bytes of a record."""


def numbered(number: int, time_ns: int = NOON, body: str = ROWS) -> bytes:
    values = {semconv.AZUREML_PRODUCER_SEQUENCE: number, semconv.CLOUDEVENTS_EVENT_ID: f"{number:06}{UUID[6:]}"}
    return ordinary(values, body=body, time_ns=time_ns).SerializeToString()


RECORDS = st.builds(
    lambda number, late, body, damage: numbered(number, NOON + late, body).replace(*damage),
    st.integers(0, 70_000),
    st.sampled_from([0, 1, SECOND, 3600 * SECOND]),
    st.sampled_from([ROWS, "[]", '[{"city":"Essen"}]', ROWS[:-1] + "," + ROWS[1:]]),
    st.sampled_from([DAMAGES[0]] * 8 + DAMAGES),
)


@settings(max_examples=60)
@given(st.lists(RECORDS, min_size=1, max_size=40), st.booleans())
@example([numbered(number) for number in range(300)], False)
def test_many_records_make_the_same_lines_with_and_without_templates(records: list[bytes], is_backwards: bool) -> None:
    fast, plain = by_both_ways(map(backwards, records) if is_backwards else records)
    assert fast == plain


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([numbered(number) for number in range(200, 216)], 16),
        ([numbered(number) for number in range(120, 136)], 8),
        ([numbered(200 + number, NOON + number * SECOND // 6) for number in range(12)], 6),
        ([numbered(200 + number, NOON + number * SECOND) for number in range(12)], None),
        ([numbered(200), numbered(201), numbered(202)], None),
        ([*map(numbered, range(200, 216)), numbered(300).replace(ROWS.encode(), b"x" * len(ROWS))], None),
    ],
    ids=["one shape", "two shapes", "two seconds", "many seconds", "few records", "no rows"],
)
def test_records_of_one_shape_and_second_are_mapped_together(records: list[bytes], expected: int | None) -> None:
    cache, of = TemplateCache(), scope()
    for number in (100, 300):
        in_turn([numbered(number)] * 4, cache, of)
    templates = ScopeTemplates(of, cache)
    templates.line_of(records[0])
    run = templates.run_of(records)
    assert (None if run is None else len(run.lines)) == expected
    if run is not None:
        mapper = LogRecordMapper(of, None)
        alone = [mapper.map(one) for one in records[: len(run.lines)]]
        assert [(run.folder, line) for line in run.lines] == [(one.folder, one.line) for one in alone]
        assert run.size == sum(len(line.data) for line in run.lines)


def test_records_that_are_never_a_run_are_soon_mapped_one_by_one() -> None:
    cache, of = TemplateCache(), scope()
    in_turn([numbered(300)] * 4, cache, of)
    templates = ScopeTemplates(of, cache)
    damaged = [numbered(300 + number).replace(ROWS.encode(), b"x" * len(ROWS)) for number in range(16)]
    good = [numbered(300 + number) for number in range(16)]
    assert [templates.run_of(damaged) is None for _ in range(3)] == [True] * 3
    assert templates.run_of(good) is None


def test_records_that_are_mapped_together_respect_the_bound_on_folders() -> None:
    records = [numbered(200 + number, NOON + number // 8 * 3600 * SECOND) for number in range(24)]
    raw, signal = raw_request(records), LogRecords()
    for _ in range(4):
        mapped(raw, signal)
    limits = LimitsConfig(backfill=("*",), folders_per_request=2)
    fast, plain = (
        map_records(decode(raw, one), arrival_ns=NOON + 1, destinations=Destinations(), limits=limits)
        for one in (signal, LogRecords(templates=None))
    )
    assert fast == plain
    assert [len(lines) for lines in fast.lines.values()] == [8, 8]
    assert [one.records for one in fast.rejected] == [8]


@pytest.mark.parametrize("zeros", [range(6), [5], [0]], ids=["all", "the last", "the first"])
def test_records_without_a_time_have_that_of_their_arrival_while_old_data_is_loaded(zeros: Sequence[int]) -> None:
    signal = LogRecords()
    for _ in range(4):
        mapped(raw_request([numbered(number) for number in range(200, 208)]), signal)
    time, none = NOON.to_bytes(8, "little"), bytes(8)
    records = [numbered(300 + at).replace(time, none) if at in zeros else numbered(300 + at, at + 1) for at in range(6)]
    limits = LimitsConfig(backfill=("*",))
    fast, plain = (
        map_records(decode(raw_request(records), one), arrival_ns=NOON + 1, destinations=Destinations(), limits=limits)
        for one in (signal, LogRecords(templates=None))
    )
    assert fast == plain
    assert sum(len(lines) for folder, lines in plain.lines.items() if "/2026/11/22/12" in folder) == len(zeros)
