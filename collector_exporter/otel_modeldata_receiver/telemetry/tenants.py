"""The attributes `endpoint` and `deployment` of metrics; the number of their values is bounded.

Clients choose the names, and every pair is a series of its own in each metric that has them.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MOST_TENANTS", "OTHER", "tenant_attributes"]

MOST_TENANTS: Final = 200
"""Tenants with series of their own; those that come later share one."""
OTHER: Final = "other"

_known: dict[str, dict[str, str]] = {}
_OTHER: Final = {"endpoint": OTHER, "deployment": OTHER}


def tenant_attributes(tenant: str) -> dict[str, str]:
    """The attributes of a tenant, `endpoint/deployment`; from the 201st tenant of a process on, those of `other`.

    The result is shared: callers do not change it.
    """
    known = _known.get(tenant)
    if known is not None:
        return known
    if len(_known) >= MOST_TENANTS:
        return _OTHER
    endpoint, _, deployment = tenant.partition("/")
    return _known.setdefault(tenant, {"endpoint": endpoint, "deployment": deployment})
