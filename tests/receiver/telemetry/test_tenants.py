"""The number of values of the attributes `endpoint` and `deployment` is bounded."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.telemetry import tenants


@pytest.fixture(autouse=True)
def no_tenants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenants, "_known", {})


def test_a_tenant_has_its_own_values() -> None:
    assert tenants.tenant_attributes("credit/blue") == {"endpoint": "credit", "deployment": "blue"}


def test_later_tenants_share_a_series_and_the_first_ones_keep_theirs() -> None:
    made = [tenants.tenant_attributes(f"e/{number}") for number in range(tenants.MOST_TENANTS + 5)]
    assert made[: tenants.MOST_TENANTS] == [
        {"endpoint": "e", "deployment": str(number)} for number in range(tenants.MOST_TENANTS)
    ]
    assert made[tenants.MOST_TENANTS :] == [{"endpoint": "other", "deployment": "other"}] * 5
    assert tenants.tenant_attributes("e/7") == {"endpoint": "e", "deployment": "7"}
