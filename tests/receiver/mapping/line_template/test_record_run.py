"""Adjacent records that are mapped together make the lines that each of them makes alone."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from otlp_requests import NOON, ROWS, backwards, raw_request, resource, scopes_of
from template_records import OTHER_UUID, UUID, by_both_ways, in_turn, mapped, ordinary, scope

from otel_modeldata import semconv
from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping.event import PlacedLine
from otel_modeldata_receiver.mapping.line_template.scope_templates import ScopeTemplates
from otel_modeldata_receiver.mapping.line_template.template_cache import TemplateCache
from otel_modeldata_receiver.mapping.log_record_mapper import LogRecordMapper
from otel_modeldata_receiver.mapping.outcomes import PIECE_BYTES, Mapped, Outcomes
from otel_modeldata_receiver.mapping.request import decode, map_records, steps
from otel_modeldata_receiver.mapping.signal import LogRecords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata_receiver.line import Line
    from otel_modeldata_receiver.mapping.line_template.record_run import RecordRun
    from otel_modeldata_receiver.mapping.protowire import EmbeddedMessages
    from otel_modeldata_receiver.mapping.scope import ScopeContext

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


def embedded(records: Sequence[bytes]) -> EmbeddedMessages:
    """Records as they are in a request."""
    (scope_records,) = scopes_of(raw_request(records))
    return scope_records.records


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
    runs = templates.runs_of(embedded(records))
    _check_runs(runs, records, of, [expected] if expected else [])


TURNS = ["model_inputs", "model_outputs", "predictions", "scores"]
"""Names of four lengths: those of one length share a template."""


def of_collection(name: str, number: int, time_ns: int = NOON) -> bytes:
    values = {
        semconv.AZUREML_COLLECTION_NAME: name,
        semconv.CLOUDEVENTS_EVENT_TYPE: semconv.event_type(name),
        semconv.CLOUDEVENTS_EVENT_ID: f"{number:06}{UUID[6:]}",
        semconv.AZUREML_PRODUCER_SEQUENCE: number,
    }
    return ordinary(values, time_ns=time_ns, event_name=semconv.event_type(name)).SerializeToString()


@pytest.mark.parametrize(
    ("turns", "numbers", "expected"),
    [
        (2, range(200, 216), [8, 8]),
        (2, range(200, 217), [9, 8]),
        (3, range(200, 216), [6, 5, 5]),
        (4, range(200, 216), [4, 4, 4, 4]),
        (4, range(200, 215), []),
        (2, range(110, 160), [9, 9]),
    ],
    ids=["two", "one more", "three", "four", "few of each", "two shapes each"],
)
def test_records_of_several_collections_in_turn_are_mapped_together(
    turns: int, numbers: range, expected: list[int]
) -> None:
    cache, of = TemplateCache(), scope()
    for name in TURNS[:turns]:
        for number in (100, 300):
            in_turn([of_collection(name, number)] * 4, cache, of)
    templates = ScopeTemplates(of, cache)
    for number in range(2 * turns):
        templates.line_of(of_collection(TURNS[number % turns], numbers[0]))
    records = [of_collection(TURNS[at % turns], number) for at, number in enumerate(numbers)]
    _check_runs(templates.runs_of(embedded(records)), records, of, expected)


@pytest.mark.parametrize(("turns", "expected"), [(1, [32]), (2, [16, 16]), (4, [8, 8, 8, 8])])
def test_records_whose_shapes_all_change_at_once_are_mapped_together(turns: int, expected: list[int]) -> None:
    cache, of = TemplateCache(), scope()
    for name in TURNS[:turns]:
        for number in (100, 300):
            in_turn([of_collection(name, number)] * 4, cache, of)
    templates = ScopeTemplates(of, cache)
    before, after = (
        [of_collection(TURNS[at % turns], first + at) for at in range(32)] for first in (96, 128)
    )  # the sequence number of the later ones takes a byte more
    for one in before:
        assert templates.line_of(one) is not None
    for records in (after, before, after):
        _check_runs(templates.runs_of(embedded(records)), records, of, expected)


def test_more_and_more_records_are_looked_at_together_while_they_are_mapped_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[int] = []
    runs_of = ScopeTemplates.runs_of

    def counted(self: ScopeTemplates, records: EmbeddedMessages) -> Sequence[RecordRun]:
        looked_at.append(len(records))
        return runs_of(self, records)

    monkeypatch.setattr(ScopeTemplates, "runs_of", counted)
    seconds = [0] * 600 + [1] * 10 + [2] * 200
    records = [of_collection(TURNS[at % 2], 200 + at, NOON + second * SECOND) for at, second in enumerate(seconds)]
    raw, signal = raw_request(records), LogRecords()
    for _ in range(4):
        looked_at.clear()
        fast = mapped(raw, signal)
    assert looked_at == [64, 128, 256, 256, 210, 20, 40, 80, 60]
    assert fast == mapped(raw)


def test_records_in_turn_that_share_a_folder_keep_their_order() -> None:
    cache, of = TemplateCache(), scope()
    in_turn([numbered(number) for number in (100, 300) * 4], cache, of)
    templates = ScopeTemplates(of, cache)
    records = [numbered(number) for number in (100, 300) * 8]
    for one in records[:4]:
        assert templates.line_of(one) is not None
    assert templates.runs_of(embedded(records)) == ()


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(range(4)), min_size=1, max_size=4),
    st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]), min_size=20, max_size=150),
    st.integers(0, 20_000),
)
def test_records_in_any_turns_make_the_same_lines_with_and_without_templates(
    turns: list[int], jumps: list[int], first: int
) -> None:
    places = accumulate(jumps, lambda before, jump: before + 1 + jump)
    names = [TURNS[turns[place % len(turns)]] for place in places]
    records = [of_collection(name, first + at, NOON + at * SECOND // 50) for at, name in enumerate(names)]
    fast, plain = by_both_ways(records)
    assert fast == plain


def _check_runs(runs: Sequence[RecordRun], records: Sequence[bytes], of: ScopeContext, expected: list[int]) -> None:
    """As many lines as expected were made together, and they are those that the records make alone."""
    assert [len(run.lines) for run in runs] == expected
    mapper = LogRecordMapper(of, None)
    alone: defaultdict[str, list[Line]] = defaultdict(list)
    for one in records[: sum(expected)]:
        placed = mapper.map(one)
        assert isinstance(placed, PlacedLine)
        alone[placed.folder].append(placed.line)
    assert {run.folder: list(run.lines) for run in runs} == alone
    assert [run.size for run in runs] == [sum(len(line.data) for line in run.lines) for run in runs]


def test_records_that_are_never_a_run_are_soon_mapped_one_by_one() -> None:
    cache, of = TemplateCache(), scope()
    in_turn([numbered(300)] * 4, cache, of)
    templates = ScopeTemplates(of, cache)
    damaged = [numbered(300 + number).replace(ROWS.encode(), b"x" * len(ROWS)) for number in range(16)]
    good = [numbered(300 + number) for number in range(16)]
    assert [templates.runs_of(embedded(damaged)) for _ in range(3)] == [()] * 3
    assert templates.runs_of(embedded(good)) == ()


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


@pytest.mark.parametrize("most_folders", [1, 2, 10])
def test_at_the_bound_on_folders_records_of_open_ones_are_mapped_together(
    monkeypatch: pytest.MonkeyPatch, most_folders: int
) -> None:
    alone: list[int] = []
    map_each = Outcomes._map_each

    def counted(self: Outcomes, chunk: Sequence[bytes], *rest: Any) -> Any:
        alone.append(len(chunk))
        return map_each(self, chunk, *rest)

    monkeypatch.setattr(Outcomes, "_map_each", counted)
    made = map_records(
        decode(
            raw_request([numbered(number) for number in range(200, 840)], resource().SerializeToString()), LogRecords()
        ),
        arrival_ns=NOON,
        destinations=Destinations(None),
        limits=LimitsConfig(backfill=("*",), folders_per_request=most_folders),
    )
    assert (made.rejected, [len(lines) for lines in made.lines.values()]) == ((), [640])
    assert sum(alone) < 20


def test_lines_that_grow_come_in_pieces_of_bounded_size_with_templates_too() -> None:
    raw = raw_request(
        [numbered(200 + number) for number in range(2000)],
        resource({semconv.CLOUD_RESOURCE_ID: "é" * 2000}).SerializeToString(),
    )
    signal = LogRecords()
    for _ in range(3):
        mapping = steps(
            decode(raw, signal),
            arrival_ns=NOON,
            destinations=Destinations(),
            limits=LimitsConfig(backfill=("*",), max_growth=1000.0),
        )
        pieces = [step.line_bytes for step in mapping if isinstance(step, Mapped)]
        assert len(pieces) > 3
        assert max(pieces) < PIECE_BYTES + 2 * len(raw) + 40 * 12_500


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
