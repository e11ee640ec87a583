"""The command `otel-modeldata label`: labels of a CSV file, in the store, and errors with their exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from command_run import run_command
from read_lines import line, write

if TYPE_CHECKING:
    from pathlib import Path


def label(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    return run_command(capsys, "label", *arguments)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("order,fraud,decided\nrequest-0_0,true,2027-01-02\nrequest-1_0,,\nrequest-2_0,false,\n", "utf-8")
    return path


@pytest.mark.slow
def test_labels_of_a_file_are_in_the_store_of_the_environment(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    write(store, [line()])
    monkeypatch.setenv("OTEL_MODELDATA_STORE", str(store))
    assert label(capsys, file, "--id", "order", "--time", "decided", "--json") == (
        0,
        json.dumps({"store": str(store), "labels": 2}) + "\n",
        "",
    )
    (blob,) = store.glob("shop/blue/ground_truth/*/*/*/*/*.jsonl")
    assert json.loads(blob.read_text("utf-8"))["data"] == [
        {"row_id": "request-0_0", "fraud": True, "label_time": "2027-01-02T00:00:00+00:00"},
        {"row_id": "request-2_0", "fraud": False, "label_time": None},
    ]


def test_wrong_arguments_are_code_2_and_a_missing_store_is_code_3(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, file: Path
) -> None:
    store = tmp_path / "store"
    write(store, [line()])
    write(store, [line()], collection="shop/green/model_inputs")
    where = ("--store", store)
    assert label(capsys, file, "--id", "row", *where) == (
        2,
        "",
        f"otel-modeldata: expected a column 'row' in {file}, got order, fraud, decided: name one of them\n",
    )
    assert label(capsys, file, "--id", "order", *where) == (
        2,
        "",
        (
            f"otel-modeldata: expected one deployment in {store}, got shop/blue, shop/green: name one as "
            "deployment, or by --deployment\n"
        ),
    )
    assert label(capsys, file, "--id", "order", "--deployment", "shop/gren", *where) == (
        2,
        "",
        (f"otel-modeldata: expected a deployment of {store}, got 'shop/gren': did you mean 'shop/green'?\n"),
    )
    none = tmp_path / "none.csv"
    assert label(capsys, none, "--id", "order", *where) == (
        2,
        "",
        (
            f"otel-modeldata: expected a CSV file with a header in {none}, got No such file or directory: correct the "
            "path, or its permissions\n"
        ),
    )
    none.write_text("order,paid\n7_0,\n", "utf-8")
    assert label(capsys, none, "--id", "order", *where) == (
        2,
        "",
        f"otel-modeldata: expected labels in {none}, got none: write a value into a cell of each row\n",
    )
    assert label(capsys, file, *where)[0] == 2
    assert label(capsys, file, "--id", "order", "--store", tmp_path / "none")[0] == 3
