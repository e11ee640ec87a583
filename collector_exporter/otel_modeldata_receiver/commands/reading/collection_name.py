"""The name of a collection as people write it: in full, or its last part if that is clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...exceptions import ConfigError

if TYPE_CHECKING:
    from otel_modeldata_reader import Store

__all__ = ["full_name"]

_SHOWN = 5


def full_name(store: Store, name: str) -> str:
    """`endpoint/deployment/collection` for the last part of it, as `query` takes it, too; else `name` itself.

    A collection may lie at the root of a store, so that its name is one part. It is found by this name.

    Raises:
        ConfigError: several collections end with it.
        StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
    """
    if "/" in name.strip("/"):
        return name
    names = [one.name for one in store.collections()]
    if name.strip("/") in names:
        return name.strip("/")
    found = [one for one in names if one.rpartition("/")[2] == name.strip("/")]
    if len(found) > 1:
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        raise ConfigError(
            f"expected endpoint/deployment/collection, got {name!r}, which may be {' or '.join(found[:_SHOWN])}{more}: "
            "write the whole name, as ls lists it"
        )
    return found[0] if found else name
