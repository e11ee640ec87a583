"""A container of a real Azurite, a proxy that breaks requests, and the store on both."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from fault_proxy import FaultProxy

from otel_modeldata_receiver.storage.azure_account import CONNECTION_STRING_VARIABLE
from otel_modeldata_receiver.storage.open_store import open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from azurite import Azurite

    from otel_modeldata_receiver.storage.store import Store

    OpenStore = Callable[..., AbstractAsyncContextManager[Store]]


@pytest.fixture
def container(azurite: Azurite) -> str:
    return azurite.new_container()


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[FaultProxy]:
    with FaultProxy(azurite.host) as proxy:
        yield proxy


@pytest.fixture
def opened(azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    """Opens the store as the receiver does, directly or through a proxy."""

    @asynccontextmanager
    async def open_(
        through: FaultProxy | None = None, *, url: str = f"az://{container}/data", create_container: bool = False
    ) -> AsyncIterator[Store]:
        host = azurite.host if through is None else through.host
        monkeypatch.setenv(CONNECTION_STRING_VARIABLE, azurite.connection_string_through(host))
        store = open_store(url, create_container=create_container)
        try:
            yield store
        finally:
            await store.close()

    return open_
