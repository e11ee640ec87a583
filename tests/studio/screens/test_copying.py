"""What is copied runs, and has the rows of the page."""

from __future__ import annotations

import datetime as dt
import json
import shlex
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from collected_store import collecting
from command_run import run_command
from opened_studio import opened_studio, whole
from shop_store import served_as

from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_reader import ReaderError
from otel_modeldata_studio.screens import copying, explore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shop_store import Shop

    from otel_modeldata_studio.studio import Studio

BLUE = "shop/blue"
STATES: list[dict[str, Any]] = [
    {},
    {"columns": ("inputs.age", "inputs.country")},
    {"f": [{"column": "inputs.age", "op": "between", "low": 40.5, "high": None}], "columns": ("outputs.score",)},
    {"f": [{"column": "status", "op": "between", "low": 500, "high": None}]},
    {"f": [{"column": "latency_ms", "op": "between", "low": 10, "high": 50}], "columns": ("inputs.age",)},
    {"f": [{"column": "labels.label", "op": "in", "values": ["yes", "it's? \\ \" not"]}]},
    {
        "f": [
            {"column": "inputs.opened", "op": "between", "low": "2026-06-01", "high": None},
            {"column": "inputs.member", "op": "in", "values": [True]},
            {"column": "outputs.decision", "op": "in", "values": ["no"]},
        ]
    },
    {"f": [{"column": "inputs.age", "op": "null"}], "columns": ("inputs.age",)},
]


@pytest.fixture(scope="module")
def studio(shop_store: Shop) -> Iterator[Studio]:
    with opened_studio(shop_store.root) as opened:
        yield opened


@pytest.mark.parametrize("state", STATES, ids=range(len(STATES)))
def test_the_lines_have_the_rows_of_the_page(studio: Studio, shop_store: Shop, state: dict[str, Any]) -> None:
    given = {"deployment": BLUE, "since": f"{shop_store.since:%Y-%m-%dT%H:%M:%SZ}"} | state
    given["f"] = json.dumps(state.get("f", []))
    expected = []
    page = whole(lambda: explore.rows(studio, limit=500, **given))
    while True:
        expected += [one.id for one in page.rows]
        if page.next is None:
            break
        page = explore.rows(studio, limit=500, after=page.next, **given)
    copied = copying.copy(studio, **given)
    names: dict[str, Any] = {}
    exec(copied.python, names)
    assert sorted(names["rows"]["row_id"]) == sorted(expected)
    assert names["rows"]["time"].is_monotonic_decreasing
    assert sorted(studio.store.query(copied.sql, given["since"]).to_pandas()["row_id"]) == sorted(expected)
    assert copied.sql.startswith(f"-- of the window: --since={given['since']}\n")
    for column in state.get("columns", ()):
        assert column.partition(".")[2] in names["rows"].columns


def test_the_command_runs(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    f = json.dumps([{"column": "inputs.country", "op": "in", "values": ["PT"]}])
    whole(lambda: explore.volume(studio, deployment=BLUE))
    total = explore.volume(studio, deployment=BLUE, f=f).total
    command = copying.copy(studio, deployment=BLUE, f=f, columns=("inputs.country",)).command
    name, *arguments = shlex.split(command)
    assert name == "otel-modeldata"
    code, printed, _ = run_command(capsys, *arguments, "--json")
    assert code == 0
    assert [json.loads(line)["country"] for line in printed.splitlines()] == ["PT"] * total


def test_a_filter_that_lines_cannot_have_is_an_error(studio: Studio) -> None:
    with pytest.raises(ReaderError, match=r"^expected "):
        copying.copy(studio, deployment=BLUE, f='[{"column": "inputs.none", "op": "null"}]')


HALF = "half/blue"
START = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Sixty requests of two rows, of which every third has no output, and every second has labels, some twice."""
    root = tmp_path_factory.mktemp("half")
    with served_as(HALF), collecting(root) as flush:
        inputs, outputs, labels = (Collector(name=name) for name in ("model_inputs", "model_outputs", "ground_truth"))
        for number in range(60):
            at = int(START.timestamp()) + 60 * number
            context = BasicCorrelationContext(id=f"h{number}", timestamp=at)
            inputs.collect(pd.DataFrame({"x": [number, -number], "same": ["a", "b"]}), context)
            if number % 3:
                outputs.collect(pd.DataFrame({"y": [number / 60, 0.5], "same": ["c", "d"]}), context)
            for later in range(number % 4 * (number % 2)):
                late = BasicCorrelationContext(id=f"h{number}", timestamp=at + 600 + later)
                labels.collect(pd.DataFrame({"label": [f"{later}", None]}), late)
        flush()
    with opened_studio(root) as opened:
        whole(lambda: explore.volume(opened, deployment=HALF))
        yield opened


@pytest.mark.parametrize("window", [{}, {"since": "2026-11-22T10:30:00Z"}, {"since": "2026-11-23"}])
@pytest.mark.parametrize(
    "f",
    [
        [],
        [{"column": "inputs.x", "op": "between", "low": 12, "high": None}],
        [{"column": "outputs.y", "op": "null"}],
        [{"column": "outputs.y", "op": "between", "low": 0.3, "high": None}],
        [{"column": "outputs.same", "op": "in", "values": ["c", None]}],
        [{"column": "inputs.same", "op": "in", "values": ["b"]}],
        [{"column": "labels.label", "op": "in", "values": ["2"]}],
        [{"column": "labels.label", "op": "null"}, {"column": "inputs.x", "op": "not_null"}],
    ],
)
@pytest.mark.parametrize("columns", [(), ("inputs.x", "inputs.same", "outputs.y", "labels.label")])
def test_rows_without_an_output_or_without_any_row_are_as_the_page_has_them(
    half: Studio, window: dict[str, str], f: list[dict[str, Any]], columns: tuple[str, ...]
) -> None:
    given = {"deployment": HALF, "f": json.dumps(f), "columns": columns} | window
    shown = ("inputs.x", "inputs.same", "outputs.y", "labels.label")
    page = whole(lambda: explore.rows(half, limit=500, **(given | {"columns": shown})))
    names: dict[str, Any] = {}
    exec(copying.copy(half, **given).python, names)
    frame = names["rows"]
    assert sorted(frame["row_id"]) == sorted(one.id for one in page.rows)
    if columns and len(frame):
        found = frame.set_index("row_id")[["x", "inputs.same", "y", "label"]].astype(object)
        expected = {one.id: one.values for one in page.rows}
        assert {one: row.where(row.notna(), None).tolist() for one, row in found.iterrows()} == expected


def test_each_part_of_a_statement_that_is_not_the_joined_rows_says_why_it_is_there(half: Studio) -> None:
    sql = copying.copy(half, deployment=HALF, columns=("inputs.x",), f='[{"column": "labels.label", "op": "null"}]').sql
    parts = sql.split("\nUNION ALL BY NAME\n")
    assert [part.partition("\n")[0] for part in parts[1:]] == [
        "-- also inputs without an output, with their labels; remove this part for rows with an output only",
        "-- adds no row, only types: a window may have no row with one of these columns",
    ]
    with_outputs = "\nUNION ALL BY NAME\n".join([parts[0], parts[2]])
    assert 0 < len(half.store.query(with_outputs).to_pandas()) < len(half.store.query(sql).to_pandas())
