"""Rates of deployments: debt, refill, quarantine, and a bounded number of buckets."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.exceptions import OverloadedError
from otel_modeldata_receiver.ingest import tenant_rates
from otel_modeldata_receiver.ingest.tenant_rates import AdmittedOnce, TenantRates
from otel_modeldata_receiver.mapping.bounds.outline import Share
from otel_modeldata_receiver.mapping.outcomes import Mapped
from otel_modeldata_receiver.mapping.quarantine import Rejected


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def share(tenant: str, records: int = 1, size: int = 1) -> Share:
    return Share(tenant=tenant, records=records, size=size)


def test_a_deployment_above_its_rate_is_asked_to_retry_until_its_bucket_is_filled() -> None:
    clock = Clock()
    rates = TenantRates(LimitsConfig(records_per_second=10), clock)
    assert rates.admit([share("a/b", 150)]) == {}
    with pytest.raises(OverloadedError, match=r"^rate: expected at most 10 records in a second .limits.records_per_"):
        rates.admit([share("a/b")])
    assert rates.admit([share("c/d")]) == {}
    clock.now = 5.1
    assert rates.admit([share("a/b")]) == {}


def test_a_request_of_several_deployments_costs_only_those_above_their_rate() -> None:
    rates = TenantRates(LimitsConfig(bytes_per_second=10), Clock())
    rates.admit([share("a/b", size=1000)])
    refused = rates.admit([share("a/b"), share("c/d")])
    assert refused == {
        "a/b": "rate: expected at most 10 bytes of requests in a second (limits.bytes_per_second), got more from 'a/b'"
    }


def test_a_request_is_admitted_once_and_what_it_took_is_given_back_when_its_parts_are_admitted_again() -> None:
    rates = TenantRates(LimitsConfig(records_per_second=10), Clock())
    rates.admit([share("c/d", 100)])
    admitted = AdmittedOnce(rates)
    shares = [share("a/b", 60), share("c/d", 1), share("e/f", 0)]
    assert [admitted(shares).keys(), admitted(shares).keys()] == [{"c/d"}] * 2
    assert rates._account("a/b").levels["records_per_second"] == 40
    admitted.undo()
    assert [rates._account(one.tenant).levels["records_per_second"] for one in shares] == [100, 0, 100]


def test_the_bytes_of_lines_are_counted_for_an_hour() -> None:
    clock = Clock()
    rates = TenantRates(LimitsConfig(stored_bytes_per_hour=3600), clock)
    rates.stored({"a/b": 3600})
    with pytest.raises(OverloadedError, match="stored_bytes_per_hour"):
        rates.admit([share("a/b")])
    clock.now = 1.0
    assert rates.admit([share("a/b")]) == {}


def test_without_rates_nothing_is_remembered() -> None:
    rates = TenantRates(LimitsConfig(), Clock())
    assert rates.admit([share(f"{n}/b") for n in range(100)]) == {}
    assert rates._accounts == {}


def rejected(count: int, tenant: str = "a/b") -> Mapped:
    return Mapped(rejected=tuple(Rejected(reason=f"bad: {n}", record=b"12345", tenant=tenant) for n in range(count)))


def test_what_the_quarantine_of_a_deployment_has_no_room_for_is_refused_and_one_line_says_so() -> None:
    clock = Clock()
    rates = TenantRates(LimitsConfig(quarantine_bytes_per_hour=10), clock)
    found = rates.within_quarantine(rejected(5))
    reason = (
        "bad, and the quarantine is full: expected at most 10 bytes of quarantine in an hour "
        "(limits.quarantine_bytes_per_hour), got more; correct the sender"
    )
    assert [(one.record, one.records) for one in found.rejected] == [(b"12345", 1), (b"12345", 1), (b"", 0)]
    assert found.refused == {reason: 3}
    assert rates.within_quarantine(rejected(2)).rejected == ()
    assert len(rates.within_quarantine(rejected(1, "c/d")).rejected) == 1
    clock.now = 3600.0
    assert len(rates.within_quarantine(rejected(1)).rejected) == 1


def test_names_of_deployments_cannot_fill_the_memory_nor_give_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_rates, "MOST_TENANTS", 10)
    clock = Clock()
    rates = TenantRates(LimitsConfig(quarantine_bytes_per_hour=10), clock)
    kept = sum(one.records for n in range(1000) for one in rates.within_quarantine(rejected(3, f"t{n}/x")).rejected)
    assert kept == 11 * 2
    assert len(rates._accounts) == 11
    clock.now = 7200.0
    assert len(rates.within_quarantine(rejected(1, "new/x")).rejected) == 1
