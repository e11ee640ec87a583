"""The last part of a collection's name is enough where it is clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from command_run import run_command
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_receiver.commands.reading.collection_name import full_name
from otel_modeldata_receiver.exceptions import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def named(store: Path, name: str) -> str:
    return full_name(reader.open(store), name)


def test_the_last_part_is_the_only_collection_that_ends_so(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    write(tmp_path, [line()], collection="shop/blue/model_outputs")
    assert named(tmp_path, "model_inputs") == "shop/blue/model_inputs"
    for other in (
        "shop/blue/model_outputs",
        "shop/blue",
        "inputs",
        "shop",
    ):  # the reader says what is wrong
        assert named(tmp_path, other) == other


def test_of_several_the_whole_name_is_needed(tmp_path: Path) -> None:
    for deployment in ("blue", "green"):
        write(tmp_path, [line()], collection=f"shop/{deployment}/model_inputs")
    with pytest.raises(ConfigError) as error:
        named(tmp_path, "model_inputs")
    assert str(error.value) == (
        "expected endpoint/deployment/collection, got 'model_inputs', which may be shop/blue/model_inputs or "
        "shop/green/model_inputs: write the whole name, as ls lists it"
    )


def test_a_whole_name_of_one_part_goes_first(tmp_path: Path) -> None:
    """A destination may be a folder at the root of the store."""
    write(tmp_path, [line()])
    write(tmp_path, [line()], collection="model_inputs")
    assert [named(tmp_path, name) for name in ("model_inputs", "/model_inputs/")] == ["model_inputs"] * 2


def test_export_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "store", [line()])
    file = tmp_path / "x.csv"
    code, out, err = run_command(capsys, "export", "model_inputs", "--csv", file, "--store", tmp_path / "store")
    assert (code, out, err) == (0, f"{file}: 1 row, {file.stat().st_size:,} bytes\n", "")


def test_tail_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name passes; the condition is the mistake."""
    write(tmp_path, [line()])
    code, _, err = run_command(capsys, "tail", "model_inputs", "--store", tmp_path, "--where", "age >")
    assert code == 2
    assert "condition" in err
