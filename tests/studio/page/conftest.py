"""A Studio of each store, which all tests of pages look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nasty_store import Nasty
    from shop_store import Shop
    from studio_process import StartStudio, StudioProcess


@pytest.fixture(scope="session")
def shop_studio(share_studio: StartStudio, shop_store: Shop) -> StudioProcess:
    """A Studio of two days of two deployments, compared with the first day."""
    template = "https://traces.example.com/trace/{trace_id}"
    return share_studio(shop_store.root, "--baseline", shop_store.baseline, "--trace-url", template)


@pytest.fixture(scope="session")
def nasty_studio(share_studio: StartStudio, nasty_store: Nasty) -> StudioProcess:
    """A Studio of the nastiest data."""
    return share_studio(nasty_store.root)


@pytest.fixture(scope="session")
def empty_studio(share_studio: StartStudio, tmp_path_factory: pytest.TempPathFactory) -> StudioProcess:
    """A Studio of a folder that has nothing yet."""
    return share_studio(tmp_path_factory.mktemp("empty"))
