"""`Store.follow`: rows as they are written, each once and whole, wherever they are written."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from collected_store import collecting
from hypothesis import given
from hypothesis import strategies as st
from read_lines import COLLECTION, HOUR, NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata_reader import ReaderError, UnknownNameError
from otel_modeldata_reader.following import follow as follow_module
from otel_modeldata_reader.following import growth, last_lines, new_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from azurite import Azurite

SECOND = 10**9


class AllStepsDoneError(Exception):
    """A test has nothing more to write."""


def followed(
    store: Path, steps: Iterable[Callable[[], object]], patch: pytest.MonkeyPatch, **options: Any
) -> list[reader.NewRows]:
    """What comes if each wait for the next look at the store is a step, which may write something."""
    remaining = iter(steps)

    def step(_: float) -> None:
        following = next(remaining, None)
        if following is None:
            raise AllStepsDoneError
        following()

    found = []
    with patch.context() as during:
        during.setattr(follow_module.time, "sleep", step)
        with contextlib.suppress(AllStepsDoneError):
            found.extend(reader.open(store).follow(COLLECTION, **options))  # keeps what came before the exception
    return found


def ages(found: Iterable[reader.NewRows]) -> list[list[int]]:
    return [rows.table["age"].to_pylist() for rows in found]


def appending(path: Path, content: bytes) -> Callable[[], object]:
    def append() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)

    return append


def test_rows_come_once_they_are_written_and_a_torn_line_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = write(tmp_path, [line(number=0), line(number=1)[:20]])
    steps = [
        appending(blob, line(number=1)[20:50]),
        appending(blob, line(number=1)[50:] + line(number=2)[:5]),
        lambda: None,
        appending(blob, line(number=2)[5:] + line(number=3)),
    ]
    assert ages(followed(tmp_path, steps, monkeypatch)) == [[1], [2, 3]]


def test_a_whole_last_line_needs_no_line_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = write(tmp_path, [line(number=0)])
    steps = [appending(blob, line(number=1)[:-1]), appending(blob, b"\n"), appending(blob, line(number=2))]
    assert ages(followed(tmp_path, steps, monkeypatch)) == [[1], [2]]


def test_new_hours_and_rolled_blobs_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, [line(number=0)])
    steps = [
        lambda: write(tmp_path, [line(number=1)], replica=1),
        lambda: write(tmp_path, [line(number=2)], hour="2026/11/22/11"),
        lambda: write(tmp_path, [line(number=3)], hour="2026/11/22/09"),
    ]
    assert ages(followed(tmp_path, steps, monkeypatch)) == [[1], [2], [3]]


def test_late_events_of_another_month_and_of_now_are_found(tmp_path: Path) -> None:
    write(tmp_path, [line(number=0)])
    rows = reader.open(tmp_path).follow(COLLECTION, last=1, poll=0.01)
    assert ages([next(rows)]) == [[0]]
    write(tmp_path, [line(number=1)], hour="2025/01/22/09")
    assert ages([next(rows)]) == [[1]]
    write(tmp_path, [line(number=2)], hour=f"{time.strftime('%Y/%m/%d/%H', time.gmtime())}")
    assert ages([next(rows)]) == [[2]]


def test_rows_that_come_together_are_in_the_order_of_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [line(number=0)])

    def both() -> None:
        write(tmp_path, [line([{"age": 1}, {"age": 2}], number=5), line(number=7)], replica=1)
        write(tmp_path, [line(number=4), line(number=6)], replica=2)

    assert ages(followed(tmp_path, [both], monkeypatch)) == [[4, 1, 2, 6, 7]]


def test_the_last_rows_come_first_by_time_and_from_earlier_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [line(number=number) for number in (0, 1, 2)], hour="2026/11/22/09")
    write(tmp_path, [line(number=number) for number in (3, 5)])
    blob = write(tmp_path, [line(number=4), line(number=6)[:9]], replica=1)
    assert ages(followed(tmp_path, [], monkeypatch, last=2)) == [[4, 5]]
    assert ages(followed(tmp_path, [], monkeypatch, last=5)) == [[1, 2], [3, 4, 5]]
    assert ages(followed(tmp_path, [], monkeypatch, last=9, where="age % 2 = 0")) == [[0, 2], [4]]
    steps = [appending(blob, line(number=6)[9:])]
    assert ages(followed(tmp_path, steps, monkeypatch, last=1, where="age % 2 = 0")) == [[4], [6]]


def test_the_last_rows_are_found_wherever_their_lines_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_lines, "_FIRST_BYTES", 100)
    write(tmp_path, [line(number=number) for number in range(60)])
    assert ages(followed(tmp_path, [], monkeypatch, last=50)) == [list(range(10, 60))]
    monkeypatch.setattr(last_lines, "_MOST_BYTES", 3 * len(line()) + 50)
    assert ages(followed(tmp_path, [], monkeypatch, last=50)) == [[58, 59]]


def test_a_window_begins_with_its_rows_and_leaves_out_earlier_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = NOON_NS - 7_200 * SECOND
    blob = write(tmp_path, [line(number=number, timens=str(since + number * SECOND)) for number in (-1, 0, 1)])
    write(tmp_path, [line(number=9)], hour="2026/11/22/08")
    steps = [appending(blob, line(number=7, timens=str(since + number * SECOND), id=str(number))) for number in (-2, 2)]
    options = {"since": "2026-11-22T10:00:00"}
    assert ages(followed(tmp_path, steps, monkeypatch, **options)) == [[0, 1], [7]]
    assert ages(followed(tmp_path, [], monkeypatch, **options, last=1)) == [[7]]


def test_an_event_that_comes_twice_is_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = write(tmp_path, [line(number=0)])
    other = blob.with_name("other.jsonl")
    steps = [
        appending(blob, line(number=1)),
        appending(other, line(number=0) + line(number=1) + line(number=2) + b"no line\n"),
        appending(blob, line(number=2) + line(number=3, id=None) + line(number=3, id=None)),
    ]
    found = followed(tmp_path, steps, monkeypatch, last=1)
    assert ages(found) == [[0], [1], [2], [3, 3]]
    assert [dict(rows.skipped) for rows in found] == [{}, {}, {"duplicates": 2, "foreign": 1}, {"duplicates": 1}]


def test_few_ids_are_remembered_and_many_events_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_ids, "_MOST_IDS", 3)
    monkeypatch.setattr(growth, "_READ_BYTES", 3 * len(line()) + 50)
    blob = write(tmp_path, [line(number=99)])
    found = followed(tmp_path, [appending(blob, b"".join(line(number=n % 8) for n in range(9)))], monkeypatch)
    assert [rows.table.num_rows for rows in found] == [3, 3, 3]


def test_a_line_that_is_too_long_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "_READ_BYTES", 500)
    monkeypatch.setattr(growth, "_LONGEST_LINE", 1500)
    blob = write(tmp_path, [line(number=0)])
    long = line([{"age": "x" * 5000}], number=1)
    steps = [appending(blob, long[:4000]), appending(blob, long[4000:] + line(number=2)), lambda: None]
    found = followed(tmp_path, steps, monkeypatch)
    assert [rows.table.num_rows for rows in found] == [1]
    assert (ages(found), dict(found[0].skipped)) == ([[2]], {"foreign": 1})


def test_a_blob_that_was_written_again_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = write(tmp_path, [line(number=0), line(number=1)])
    steps = [lambda: write(tmp_path, [line(number=1)]), lambda: None, appending(blob, line(number=2))]
    assert ages(followed(tmp_path, steps, monkeypatch)) == [[2]]


def test_a_condition_on_a_column_that_an_event_does_not_have_is_not_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = write(tmp_path, [line([{"age": 1, "country": "ES"}])])
    steps = [
        appending(blob, line([{"age": 2}], number=1)),
        appending(blob, line([{"age": 3, "country": "ES"}], number=2)),
    ]
    found = followed(tmp_path, steps, monkeypatch, where="country = 'ES'")
    assert (ages(found), found[0].table.column_names[-2:]) == ([[3]], ["age", "country"])
    assert found[0].to_pandas()["age"].tolist() == [3]


def test_a_payload_that_is_an_object_of_its_own_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = write(tmp_path, [line(number=0)])

    def large() -> None:
        payload = blob.parent / "files" / "rows.json"
        appending(payload, b'[{"age":7},{"age":8}]')()
        appending(blob, line(number=1, data=None, dataref=str(payload)))()

    assert ages(followed(tmp_path, [large], monkeypatch)) == [[7, 8]]


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        ({"where": "country = 1"}, ReaderError, "country"),
        ({"where": "age >"}, ReaderError, "condition"),
        ({"poll": 0}, ReaderError, "poll="),
        ({"last": -1}, ReaderError, "last="),
        ({"since": "soon"}, ReaderError, "soon"),
    ],
)
def test_a_mistake_is_an_error_before_the_first_row(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], reason: str
) -> None:
    write(tmp_path, [line()])
    with pytest.raises(error, match=reason):
        next(reader.open(tmp_path).follow(COLLECTION, **options))


def test_an_unknown_collection_is_an_error_of_the_call(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    with pytest.raises(UnknownNameError, match="did you mean 'shop/blue/model_inputs'"):
        reader.open(tmp_path).follow("shop/blue/model_input")


LINES = [line(number=number) for number in range(6)] + [line([{"age": 6, "name": "\u00e9\ud83d\ude00"}], number=6)]
CONTENT = b"".join(LINES)


@given(
    cuts=st.lists(st.integers(0, len(CONTENT)), max_size=8),
    start=st.integers(0, len(CONTENT)),
    read=st.integers(1, len(CONTENT)),
)
def test_however_bytes_arrive_every_line_that_ends_later_comes_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], start: int, read: int
) -> None:
    store = tmp_path_factory.mktemp("store")
    blob = write(store, [CONTENT[:start]])
    edges = sorted({start, len(CONTENT), *(cut for cut in cuts if cut > start)})
    steps = [appending(blob, CONTENT[first:last]) for first, last in itertools.pairwise(edges)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growth, "_READ_BYTES", read)
        patch.setattr(growth, "_STEP_BYTES", max(1, read // 3))
        found = [age for some in ages(followed(store, steps, patch)) for age in some]
    ends = list(itertools.accumulate(map(len, LINES)))
    assert found == [number for number, end in enumerate(ends) if end > start]


def test_what_a_service_collects_comes_with_its_types(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": pd.array([1, None], "Int16"), "at": pd.to_datetime(["2026-11-22", None], utc=True)})
    with collecting(tmp_path) as flush:
        inputs = Collector(name="model_inputs")
        inputs.collect(frame)
        flush()
        (collection,) = reader.open(tmp_path).collections()
        rows = reader.open(tmp_path).follow(collection.name, last=2, poll=0.01)
        for _ in range(3):
            pd.testing.assert_frame_equal(next(rows).to_pandas()[["age", "at"]], frame)
            inputs.collect(frame)
            flush()


@pytest.mark.slow
def test_a_container_is_followed(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    container = azurite.new_container()
    with azurite.open(container) as client, reader.open(f"az://{container}/prod") as store:
        blob = client.get_blob_client(f"prod/{COLLECTION}/{HOUR}/{0:032x}000000.jsonl")
        blob.create_append_blob()
        blob.append_block(line(number=0) + line(number=1)[:30])
        rows = store.follow(COLLECTION, last=5, poll=0.01)
        assert ages([next(rows)]) == [[0]]
        blob.append_block(line(number=1)[30:])
        assert ages([next(rows)]) == [[1]]
        rolled = client.get_blob_client(f"prod/{COLLECTION}/{HOUR}/{0:032x}000001.jsonl")
        rolled.create_append_blob()
        rolled.append_block(line(number=2))
        assert ages([next(rows)]) == [[2]]


def test_a_blob_that_is_removed_and_written_again_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = write(tmp_path, [line(number=1), line(number=2)])
    steps = [blob.unlink, lambda: write(tmp_path, [line(number=3)]), appending(blob, line(number=4))]
    assert ages(followed(tmp_path, steps, monkeypatch)) == [[3], [4]]


def test_a_value_that_the_condition_cannot_compare_does_not_end_the_following(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = write(tmp_path, [line(number=1)])
    steps = [appending(blob, line([{"age": "x"}], number=2)), appending(blob, line(number=3))]
    found = followed(tmp_path, steps, monkeypatch, where="age > 1")
    assert [(rows.table["age"].to_pylist(), rows.skipped) for rows in found] == [([], {"undecided": 1}), ([3], {})]
