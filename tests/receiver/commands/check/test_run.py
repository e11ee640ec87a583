"""Files of either kind, of none, and files that cannot be read."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from checked_files import found

from otel_modeldata_receiver.commands.check.run import check_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_a_problem(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    (checked,) = check_files([path])
    assert [one.sentence.split(", got")[0] for one in checked.problems] == ["expected a YAML file in UTF-8"]


def test_a_folder_is_a_problem(tmp_path: Path) -> None:
    (checked,) = check_files([tmp_path])
    assert [one.sentence for one in checked.problems] == ["expected a YAML file, got a folder: name its files"]


@pytest.mark.slow
def test_yaml_that_nests_too_deep_is_a_problem(path: Path) -> None:
    ((severity, _, said),) = found(path, "a: " + "[" * 5000 + "]" * 5000)
    assert (severity, said) == ("problem", "expected YAML, got too many nested levels: nest it less")


def test_nested_aliases_are_followed_up_to_a_limit(path: Path) -> None:
    text = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for above, name in pairwise("abcdefghij"):
        text += f"{name}: &{name} [{', '.join([f'*{above}'] * 9)}]\n"
    assert {line for _, line, _ in found(path, text, "receiver")} >= {1, 2, 3}


def test_the_kind_can_be_forced(path: Path) -> None:
    assert found(path, "stroe: x\n", "receiver")[0][2].startswith("stroe: unknown key, did you mean 'store'?")
    assert found(path, "stroe: x\n", "deployment")[0][2].startswith("data_collector: expected a mapping")
