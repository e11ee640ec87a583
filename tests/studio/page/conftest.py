"""Stores, and a Studio of each, for a file of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nasty_store import Nasty
    from shop_store import Shop
    from studio_process import StartStudio, StudioProcess


@pytest.fixture(scope="module")
def shop_studio(start_studio: StartStudio, shop_store: Shop) -> StudioProcess:
    """A Studio of two days of two deployments, compared with the first day."""
    template = "https://traces.example.com/trace/{trace_id}"
    return start_studio(shop_store.root, "--baseline", shop_store.baseline, "--trace-url", template)


@pytest.fixture(scope="module")
def nasty_studio(start_studio: StartStudio, nasty_store: Nasty) -> StudioProcess:
    """A Studio of the nastiest data."""
    return start_studio(nasty_store.root)


@pytest.fixture(scope="module")
def empty_studio(start_studio: StartStudio, tmp_path_factory: pytest.TempPathFactory) -> StudioProcess:
    """A Studio of a folder that has nothing yet."""
    return start_studio(tmp_path_factory.mktemp("empty"))
