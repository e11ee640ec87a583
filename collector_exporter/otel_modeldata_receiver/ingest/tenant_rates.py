"""The rates of a deployment: records and bytes in a second, bytes of lines and of quarantine in an hour.

Theory of operation: token buckets that may go into debt. A request is admitted while the buckets of its deployment are
above zero, and then takes what it needs: a large request is never too large for its bucket, and is paid for by the
requests after it. A bucket for a second holds ten seconds, one for an hour holds an hour.

Senders choose the names of deployments, so the number of buckets is bounded: those that are full again are forgotten,
and above the bound new names share the buckets of one account.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from msgspec import structs

from ..exceptions import OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..config.limits import LimitsConfig
    from ..mapping.bounds.outline import Share
    from ..mapping.outcomes import Mapped
    from ..mapping.quarantine import Rejected

__all__ = ["AdmittedOnce", "TenantRates"]

MOST_TENANTS: Final = 10_000
_BURST_SECONDS: Final = 10.0
_HOUR_SECONDS: Final = 3600.0
_SHARED: Final = "*"
"""The account of names above the bound; no deployment has this name."""

_RECORDS: Final = "records_per_second"
_BYTES: Final = "bytes_per_second"
_STORED: Final = "stored_bytes_per_hour"
_QUARANTINE: Final = "quarantine_bytes_per_hour"
_NOUNS: Final = {
    _RECORDS: "records in a second",
    _BYTES: "bytes of requests in a second",
    _STORED: "bytes of lines in an hour",
    _QUARANTINE: "bytes of quarantine in an hour",
}


@dataclass(slots=True)
class _Account:
    """The buckets of one deployment: how much each holds, by the name of its setting."""

    levels: dict[str, float]
    filled_at: float
    is_quarantine_full: bool = field(default=False)


class TenantRates:
    """The rates of all deployments.

    Args:
        limits: the rates; None is no limit.
        clock: seconds.
    """

    def __init__(self, limits: LimitsConfig, clock: Callable[[], float] = time.monotonic) -> None:
        rates = {
            _RECORDS: (limits.records_per_second, _BURST_SECONDS, 1.0),
            _BYTES: (limits.bytes_per_second, _BURST_SECONDS, 1.0),
            _STORED: (limits.stored_bytes_per_hour, _HOUR_SECONDS, _HOUR_SECONDS),
            _QUARANTINE: (limits.quarantine_bytes_per_hour, _HOUR_SECONDS, _HOUR_SECONDS),
        }
        self._limits = {name: rate for name, (rate, _, _) in rates.items() if rate is not None}
        self._per_second = {name: rate / unit for name, (rate, _, unit) in rates.items() if rate is not None}
        self._capacity = {name: self._per_second[name] * rates[name][1] for name in self._per_second}
        self._clock = clock
        self._accounts: dict[str, _Account] = {}
        self._has_rates = any(name in self._limits for name in (_RECORDS, _BYTES, _STORED))

    @property
    def are_set(self) -> bool:
        """Whether there is a rate that `admit` checks."""
        return self._has_rates

    def admit(self, shares: Iterable[Share]) -> Mapping[str, str]:
        """Take what the deployments of a request have in it.

        Returns:
            The deployments that are above a rate, if others are not, and the reason for each: their records must not be
            stored.

        Raises:
            OverloadedError: all of them are above a rate.
        """
        if not self._has_rates:
            return {}
        with_records = [share for share in shares if share.records or share.rest_records]
        refused = {share.tenant: reason for share in with_records if (reason := self._reason(share.tenant))}
        if refused and len(refused) == len(with_records):
            raise OverloadedError(f"{next(iter(refused.values()))}; send again in a moment")
        for share in with_records:
            if share.tenant not in refused:
                self._take(share.tenant, _RECORDS, share.records + share.rest_records)
                self._take(share.tenant, _BYTES, share.size)
        return refused

    def give_back(self, shares: Iterable[Share], refused: Mapping[str, str]) -> None:
        """Give back what `admit` took for those of some deployments that it did not refuse."""
        for share in shares:
            if share.tenant not in refused and (share.records or share.rest_records):
                self._take(share.tenant, _RECORDS, -share.records - share.rest_records)
                self._take(share.tenant, _BYTES, -share.size)

    def are_in_debt(self, shares: Iterable[Share]) -> bool:
        """Whether one of the deployments took more than it had: parts of its request would have been refused."""
        accounts = [self._account(share.tenant) for share in shares]
        return any(account.levels.get(name, 0) < 0 for account in accounts for name in (_RECORDS, _BYTES))

    def stored(self, bytes_by_tenant: Mapping[str, int]) -> None:
        """Take the bytes of lines."""
        if _STORED in self._limits:
            for tenant, size in bytes_by_tenant.items():
                self._take(tenant, _STORED, size)

    def within_quarantine(self, mapped: Mapped) -> Mapped:
        """`mapped` without the rejected records for which the quarantine of their deployment has no room.

        The first of them is kept without its bytes, so that the quarantine shows that it is not complete.
        """
        if not mapped.rejected or _QUARANTINE not in self._limits:
            return mapped
        kept: list[Rejected] = []
        refused = dict(mapped.refused)
        for one in mapped.rejected:
            account = self._account(one.tenant)
            if account.levels[_QUARANTINE] > 0:
                account.levels[_QUARANTINE] -= one.size
                account.is_quarantine_full = False
                kept.append(one)
                continue
            reason = f"{one.kind}, and the quarantine is full: {self._sentence(_QUARANTINE)}; correct the sender"
            refused[reason] = refused.get(reason, 0) + one.records
            if not account.is_quarantine_full:
                account.is_quarantine_full = True
                kept.append(replace(one, record=b"", request=b"", reason=reason, records=0))
        return structs.replace(mapped, rejected=tuple(kept), refused=refused)

    def _reason(self, tenant: str) -> str:
        levels = self._account(tenant).levels
        for name in (_RECORDS, _BYTES, _STORED):
            if name in levels and levels[name] <= 0:
                return f"rate: {self._sentence(name)} from {tenant!r}"
        return ""

    def _sentence(self, name: str) -> str:
        return f"expected at most {self._limits[name]} {_NOUNS[name]} (limits.{name}), got more"

    def _take(self, tenant: str, name: str, amount: float) -> None:
        if name in self._limits:
            self._account(tenant).levels[name] -= amount

    def _account(self, tenant: str) -> _Account:
        """The buckets of a deployment, filled up to now; the latest used are the last."""
        account = self._accounts.pop(tenant, None)
        now = self._clock()
        if account is None:
            if len(self._accounts) >= MOST_TENANTS and not self._forgot_oldest(now):
                tenant = _SHARED
            account = self._accounts.pop(tenant, None) or _Account(dict(self._capacity), now)
        self._fill(account, now)
        self._accounts[tenant] = account
        return account

    def _forgot_oldest(self, now: float) -> bool:
        tenant = next(iter(self._accounts))
        account = self._accounts[tenant]
        self._fill(account, now)
        if account.levels != self._capacity:
            return False
        del self._accounts[tenant]
        return True

    def _fill(self, account: _Account, now: float) -> None:
        passed, account.filled_at = now - account.filled_at, now
        for name, level in account.levels.items():
            account.levels[name] = min(self._capacity[name], level + passed * self._per_second[name])


class AdmittedOnce:
    """`TenantRates.admit` for one request, which may be mapped twice: the second call has the result of the first one.

    Args:
        rates: the rates of all deployments.
    """

    def __init__(self, rates: TenantRates) -> None:
        self._rates = rates
        self._shares: Sequence[Share] = ()
        self._refused: Mapping[str, str] | None = None

    def __call__(self, shares: Sequence[Share]) -> Mapping[str, str]:
        """See `TenantRates.admit`."""
        if self._refused is None:
            self._refused = self._rates.admit(shares)
            self._shares = shares
        return self._refused

    @property
    def is_in_debt(self) -> bool:
        """See `TenantRates.are_in_debt`."""
        return self._rates.are_in_debt(self._shares)

    def undo(self) -> None:
        """Give back what was taken: the parts of the request are admitted one by one."""
        self._rates.give_back(self._shares, self._refused or {})
