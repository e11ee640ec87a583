"""Every feature that Azure documents for its collector has a test that names it, or stands in the README as Azure's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FEATURES = range(1, 85)
"""S1 to S84 of the feature table: the API (1-23), the deployment YAML (24-45), payload logging (46-51), the format of
the store (52-74), who reads it (75-84)."""


def _named(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"\bS(\d{1,2})\b", text)}


@pytest.fixture(scope="module")
def named_in_tests() -> set[int]:
    tests = (path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    return set().union(*(_named(path.read_text("utf-8")) for path in tests))


@pytest.fixture(scope="module")
def needs_azure() -> set[int]:
    readme = (ROOT / "README.md").read_text("utf-8")
    (section,) = re.findall(r"(?ms)^## Needs Azure itself$(.*?)^## ", readme)
    return _named(section)


def test_each_feature_has_a_test_or_needs_azure_itself(named_in_tests: set[int], needs_azure: set[int]) -> None:
    assert sorted(set(FEATURES) - named_in_tests - needs_azure) == []


def test_nothing_else_is_named(named_in_tests: set[int], needs_azure: set[int]) -> None:
    assert sorted((named_in_tests | needs_azure) - set(FEATURES)) == []
