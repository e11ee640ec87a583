"""The lifecycle rules in the documentation are what Azure's management policies take, as far as that is known offline.

The rules of the format: https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-policy-structure
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

RULES = Path(__file__).parents[2] / "docs" / "examples" / "lifecycle-rules.json"
ACTIONS = {
    "appendBlob": {"delete"},
    "blockBlob": {"delete", "tierToCool", "tierToCold", "tierToArchive", "enableAutoTierToHotFromCool"},
}
"""What each kind of blob can have done to it."""
BASE_AGES = {
    "daysAfterModificationGreaterThan",
    "daysAfterCreationGreaterThan",
    "daysAfterLastAccessTimeGreaterThan",
    "daysAfterLastTierChangeGreaterThan",
}
KEPT = ("_erased", "_replaced", "_vanished", "_parked", "_maintenance")


def rules() -> list[dict[str, Any]]:
    policy = json.loads(RULES.read_text(encoding="utf-8"))
    assert set(policy) == {"rules"}
    return list(policy["rules"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["name"]))
def test_a_rule_has_the_form_of_a_management_policy(rule: dict[str, Any]) -> None:
    assert set(rule) == {"enabled", "name", "type", "definition"}
    assert rule["type"] == "Lifecycle"
    assert rule["enabled"] is True
    assert re.fullmatch(r"[A-Za-z0-9-]{1,256}", rule["name"])
    assert set(rule["definition"]) == {"filters", "actions"}
    filters, actions = rule["definition"]["filters"], rule["definition"]["actions"]
    assert set(filters) <= {"blobTypes", "prefixMatch", "blobIndexMatch"}
    assert set(filters["blobTypes"]) <= set(ACTIONS)
    assert 0 < len(filters["prefixMatch"]) <= 10
    assert set(actions) <= {"baseBlob", "snapshot", "version"}
    allowed = set.intersection(*(ACTIONS[kind] for kind in filters["blobTypes"]))
    assert set(actions["baseBlob"]) <= allowed
    for name, action in actions.items():
        for condition in action.values():
            (age,) = condition
            assert age in (BASE_AGES if name == "baseBlob" else {"daysAfterCreationGreaterThan"})
            assert isinstance(condition[age], int)
            assert condition[age] >= 0


def test_names_are_unique_and_no_rule_removes_what_audit_and_receivers_need() -> None:
    names = [rule["name"] for rule in rules()]
    assert len(names) == len(set(names)) <= 100
    prefixes = [prefix for rule in rules() for prefix in rule["definition"]["filters"]["prefixMatch"]]
    assert all("/" in prefix and not prefix.startswith("/") for prefix in prefixes)
    below = [prefix.split("/", 1)[1] for prefix in prefixes]
    assert [one for one in below if not one or one.startswith(KEPT)] == []
