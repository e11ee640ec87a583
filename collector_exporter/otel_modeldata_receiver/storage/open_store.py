"""Opens the store that a URL names. Add a new store here; `config/store_url.py` reads the URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.store_url import is_azure, meant_store
from ..exceptions import ConfigError
from .local import LocalStore

if TYPE_CHECKING:
    from ..config.store_access import AccessConfig
    from .locking.store_lock import LockableStore


def open_store(url: str, *, create_container: bool = False, access: AccessConfig | None = None) -> LockableStore:
    """The store that `url` names; nothing is contacted before the first call of a method.

    Args:
        url: `file:///dir` or a bare path; `az://container/prefix`, with the account in the environment
            (`AZURE_STORAGE_CONNECTION_STRING`, else `AZURE_STORAGE_ACCOUNT_URL`); or
            `https://account.blob.core.windows.net/container/prefix`.
        create_container: whether `check` may create a container that does not exist.
        access: how an account in Azure is opened, see `azure_account.py`.

    Raises:
        ConfigError: anything else, or credentials that cannot be used; see `config/store_url.py`.
    """
    url = meant_store(url)
    if not is_azure(url):
        _check_utf8(Path(url).absolute())
        return LocalStore(Path(url))
    try:
        from .azure_append_blob import AzureBlobStore  # noqa: PLC0415 (needs an extra that a local store does not)
    except ImportError as error:
        raise ConfigError(
            f"expected the Azure libraries, got {error}: install them with pip install 'otel-modeldata[receiver]'"
        ) from error
    return AzureBlobStore.from_url(url, create_container=create_container, access=access)


def _check_utf8(folder: Path) -> None:
    """Refuse a folder that no line can refer to."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"expected a folder whose path is UTF-8, got {os.fsencode(folder)!r}: lines refer to files in it; rename it"
        ) from None
