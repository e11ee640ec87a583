"""Which storage account, container and prefix a store URL means, and with which credentials it is opened.

Credentials, in this order: a connection string in `AZURE_STORAGE_CONNECTION_STRING` (an account key, a shared access
signature, or an emulator's), else `DefaultAzureCredential` (environment, workload identity, managed identity, Azure
CLI) for the account in `AZURE_STORAGE_ACCOUNT_URL` or in the store URL itself.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob.aio import BlobServiceClient

from .exceptions import ConfigError
from .storage import checked_name

__all__ = ["ACCOUNT_URL_VARIABLE", "CONNECTION_STRING_VARIABLE", "Account", "account_of", "split_url"]

CONNECTION_STRING_VARIABLE: Final = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT_URL_VARIABLE: Final = "AZURE_STORAGE_ACCOUNT_URL"

EMULATOR_API_VERSION: Final = "2025-11-05"
"""The newest service version that released Azurites know; the library's own default is newer and refused by them."""

_OPTIONS: Final[dict[str, Any]] = {
    "retry_total": 0,
    "connection_timeout": 5,
    "read_timeout": 10,
    "max_single_put_size": 1 << 20,
    "max_block_size": 1 << 20,
}
"""Of every client. No retries: the library's own append a second copy of a block whose answer was lost. Seconds to
connect, and of silence within one answer. Objects travel in pieces that aiohttp sends without holding up the loop."""

_CONTAINER: Final = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account's client, and the token credential to close with it, if there is one."""

    service: BlobServiceClient = field(repr=False)
    credential: DefaultAzureCredential | None = field(default=None, repr=False)


def split_url(url: str) -> tuple[str, str]:
    """Container and prefix (without slashes at its ends) of an `az://` or `https://` store URL.

    Raises:
        ConfigError: there is no valid container, the prefix leaves it, or the URL carries a secret.
    """
    parts = urlsplit(url)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigError(
            "expected a store URL without '?', '#' and '@', got one that has them: "
            f"put a shared access signature into {CONNECTION_STRING_VARIABLE}"
        )
    path = f"{parts.netloc}{parts.path}" if parts.scheme == "az" else parts.path.removeprefix("/")
    container, _, prefix = path.partition("/")
    if _CONTAINER.fullmatch(container) is None:
        raise ConfigError(
            "expected a container name of 3 to 63 lower-case letters, digits and single hyphens, "
            f"got {container!r}: write az://container/prefix"
        )
    prefix = prefix.rstrip("/")
    try:
        return container, checked_name(prefix) if prefix else ""
    except ValueError as error:
        raise ConfigError(str(error)) from error


def account_of(url: str) -> Account:
    """The account that a store URL means; nothing is contacted.

    Raises:
        ConfigError: it is named nowhere, or its name or connection string is malformed.
    """
    parts = urlsplit(url)
    if parts.scheme != "az":
        return _by_identity(f"https://{parts.netloc}")
    connection = os.environ.get(CONNECTION_STRING_VARIABLE)
    if connection:
        return _by_connection_string(connection)
    account = os.environ.get(ACCOUNT_URL_VARIABLE)
    if account:
        return _by_identity(account)
    raise ConfigError(
        f"expected {CONNECTION_STRING_VARIABLE} or {ACCOUNT_URL_VARIABLE} in the environment, got neither: "
        "az://container/prefix does not say which storage account"
    )


def _by_connection_string(connection: str) -> Account:
    try:
        service = BlobServiceClient.from_connection_string(connection, **_OPTIONS)
        if ".blob.core." not in str(service.primary_hostname):
            service = BlobServiceClient.from_connection_string(connection, api_version=EMULATOR_API_VERSION, **_OPTIONS)
    except ValueError:
        # Not chained, not quoted: it contains the key.
        raise ConfigError(
            f"expected a storage connection string in {CONNECTION_STRING_VARIABLE}, got one that is malformed: "
            "copy it from the account's access keys"
        ) from None
    return Account(service=service)


def _by_identity(url: str) -> Account:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or "@" in parts.netloc:
        raise ConfigError(
            "expected an account URL like https://account.blob.core.windows.net, "
            f"got scheme {parts.scheme!r} and host {parts.hostname!r}: tokens travel over https only"
        )
    credential = DefaultAzureCredential()
    service = BlobServiceClient(f"https://{parts.netloc}", credential=credential, **_OPTIONS)
    return Account(service=service, credential=credential)
