"""Every feature that Azure documents for its collector is in `docs/features.md`, with a test that names it.

A feature without a test needs Azure itself, and its remark states so.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FEATURES = range(1, 85)
"""S1 to S84: the API (1-23), the deployment YAML (24-45), payload logging (46-51), the format of the store (52-74) and
its readers (75-84)."""
ROW = re.compile(r"^\| S(\d+) \| ([^|]+) \| ([^|]*)\| ([^|]*)\|$", re.MULTILINE)
TABLE = {
    int(number): (feature.strip(), set(re.findall(r"`([^`]+)`", tests)), remark.strip())
    for number, feature, tests, remark in ROW.findall((ROOT / "docs" / "features.md").read_text("utf-8"))
}


def _named(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"\bS(\d{1,2})\b", text)}


@pytest.fixture(scope="module")
def tests_by_feature() -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        if path.parent == Path(__file__).parent:
            continue
        for number in _named(path.read_text("utf-8")):
            found.setdefault(number, set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_the_table_has_each_feature_once_and_in_order() -> None:
    numbers = [int(number) for number, *_ in ROW.findall((ROOT / "docs" / "features.md").read_text("utf-8"))]
    assert numbers == list(FEATURES)
    assert [number for number, (feature, _, _) in TABLE.items() if not feature] == []


def test_each_feature_has_a_test_or_needs_azure_itself(tests_by_feature: dict[int, set[str]]) -> None:
    needs_azure = {number for number, (_, _, remark) in TABLE.items() if remark.startswith("Needs Azure itself")}
    assert sorted(set(FEATURES) - tests_by_feature.keys() - needs_azure) == []


def test_the_table_names_the_tests_that_name_the_feature(tests_by_feature: dict[int, set[str]]) -> None:
    assert {number: tests for number, (_, tests, _) in TABLE.items() if tests} == tests_by_feature, (
        "run: python docs/generate.py"
    )


def test_nothing_else_is_named(tests_by_feature: dict[int, set[str]]) -> None:
    assert sorted(tests_by_feature.keys() - set(FEATURES)) == []
