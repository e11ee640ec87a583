"""Opens the store that a URL names. The URL schemes of all stores are listed here; add a new store here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..config.store_access import parse_url
from ..exceptions import ConfigError
from .local import LocalStore

if TYPE_CHECKING:
    from ..config.store_access import AccessConfig
    from .store import Store


def open_store(url: str, *, create_container: bool = False, access: AccessConfig | None = None) -> Store:
    """The store that `url` names; nothing is contacted before the first call of a method.

    Args:
        url: `file:///dir` or a bare path; `az://container/prefix`, with the account in the environment
            (`AZURE_STORAGE_CONNECTION_STRING`, else `AZURE_STORAGE_ACCOUNT_URL`); or
            `https://account.blob.core.windows.net/container/prefix`.
        create_container: whether `check` may create a container that does not exist.
        access: how an account in Azure is opened, see `azure_account.py`.

    Raises:
        ConfigError: anything else, or credentials that cannot be used.
    """
    if not url.strip():
        raise ConfigError("expected a store URL like 'file:///dir' or 'az://container/prefix', got an empty one")
    scheme = parse_url(url).scheme if "://" in url else "file"
    if scheme == "file":
        return LocalStore(_local_path(url))
    if scheme in {"az", "https"}:
        try:
            from .azure_append_blob import AzureBlobStore  # noqa: PLC0415 (needs an extra that a local store does not)
        except ImportError as error:
            raise ConfigError(
                f"expected the Azure libraries, got {error}: install them with pip install 'otel-modeldata[receiver]'"
            ) from error
        return AzureBlobStore.from_url(url, create_container=create_container, access=access)
    raise ConfigError(
        f"expected a store URL that starts with file://, az:// or https://, or a path, got scheme {scheme!r}: "
        "use for example 'file:///var/lib/modeldata' or 'az://container/prefix'"
    )


def _local_path(url: str) -> Path:
    if not url.startswith("file:"):
        return Path(url)
    parts = parse_url(url)
    if parts.netloc not in {"", "localhost"} or not parts.path:
        raise ConfigError(f"expected file:///dir with an absolute path, got {url!r}: put three slashes after 'file:'")
    return Path(unquote(parts.path))
