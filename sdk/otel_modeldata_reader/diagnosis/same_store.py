"""Whether two URLs name the same store."""

from __future__ import annotations

import os

__all__ = ["is_same_store"]


def is_same_store(one: str, other: str) -> bool:
    """Whether two URLs, as `open_store` takes them, name the same store; unreadable ones are compared as texts."""
    return _meant(one) == _meant(other)


def _meant(url: str) -> str:
    from otel_modeldata_receiver.config.store_url import is_azure, meant_store, shown_store  # noqa: PLC0415 (on demand)
    from otel_modeldata_receiver.exceptions import ConfigError  # noqa: PLC0415 (likewise)

    try:
        meant = meant_store(url)
    except ConfigError:
        return url
    return shown_store(meant).rstrip("/") if is_azure(meant) else os.path.realpath(meant)
