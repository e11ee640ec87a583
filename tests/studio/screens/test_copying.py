"""What is copied runs, and has the rows of the page."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from command_run import run_command
from opened_studio import opened_studio, whole

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
