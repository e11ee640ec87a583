"""The number of values of the attributes `endpoint` and `deployment` is bounded, and tenants that write have one."""

from __future__ import annotations

from otel_modeldata_receiver.telemetry.tenants import MOST_TENANTS, MOST_WAITING, OTHER, TenantRecords

HOUR = 3600.0


def counts(records: TenantRecords) -> dict[tuple[str, str], dict[str, int]]:
    """Records by tenant and outcome."""
    result: dict[tuple[str, str], dict[str, int]] = {}
    for one in records.observations():
        attributes = {key: str(value) for key, value in (one.attributes or {}).items()}
        tenant = attributes["endpoint"], attributes["deployment"]
        result.setdefault(tenant, {})[attributes["outcome"]] = int(one.value)
    return result


def total(records: TenantRecords) -> int:
    return sum(count for outcomes in counts(records).values() for count in outcomes.values())


def test_a_tenant_has_its_own_values() -> None:
    records = TenantRecords()
    records.add(3, "credit/blue", "accepted")
    records.add(2, "credit/blue", "refused")
    records.add(1, "credit/blue", "accepted")
    assert counts(records) == {("credit", "blue"): {"accepted": 4, "refused": 2}}


def test_names_that_are_sent_once_keep_no_place_from_a_tenant_that_writes() -> None:
    records = TenantRecords()
    for number in range(25 * MOST_TENANTS):
        records.add(1, f"junk/{number}", "accepted")
    for _ in range(10):
        records.add(1, "credit/blue", "accepted")
        for number in range(500):
            records.add(1, f"more/{number}", "accepted")
    shown = counts(records)
    assert len(shown) == MOST_TENANTS + 1
    assert shown["credit", "blue"]["accepted"] == 8  # two were counted before it had a place
    assert total(records) == 25 * MOST_TENANTS + 10 * 501
    assert len(records._waiting) <= MOST_WAITING


def test_a_configured_tenant_has_a_place_from_its_first_record_on() -> None:
    records = TenantRecords()
    records.keep(lambda tenant: tenant.lower() if tenant.lower() == "credit/blue" else None)
    for number in range(MOST_TENANTS):
        records.add(1_000_000, f"junk/{number}", "accepted")
    records.add(1, "Credit/blue", "accepted")
    records.add(1, "CREDIT/BLUE", "accepted")
    shown = counts(records)
    assert (shown["Credit", "blue"], len(shown)) == ({"accepted": 2}, MOST_TENANTS + 1)


def test_a_tenant_that_writes_no_more_gives_its_place_away() -> None:
    now = 0.0
    records = TenantRecords(lambda: now)
    for number in range(MOST_TENANTS):
        records.add(1000, f"old/{number}", "accepted")
    records.add(100, "credit/blue", "accepted")
    assert ("credit", "blue") not in counts(records)
    now = 12 * HOUR
    records.add(100, "credit/blue", "accepted")
    assert counts(records)["credit", "blue"] == {"accepted": 100}
    assert counts(records)[OTHER, OTHER] == {"accepted": 1100}
    assert total(records) == 1000 * MOST_TENANTS + 200


def test_places_are_taken_seldom() -> None:
    """Each series that was ever exported takes memory in OpenTelemetry's SDK."""
    records = TenantRecords(lambda: 0.0)
    seen: set[tuple[str, str]] = set()
    for number in range(20_000):
        records.add(number + 1, f"junk/{number}", "accepted")
        if number % 10 == 0:
            seen |= set(counts(records))
    assert len(seen) < 10 * MOST_TENANTS
