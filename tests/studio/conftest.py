"""Stores that Studio shows."""

from __future__ import annotations

from nasty_store import nasty_store  # noqa: F401 (a fixture)
from shop_store import shop_store  # noqa: F401 (a fixture)
from two_days import two_days  # noqa: F401 (a fixture)
