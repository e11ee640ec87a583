"""The storage account, container and prefix of a store URL, and the credentials that open it.

Credentials are searched in this order:

1. the settings of the store: a connection string, an account key or a shared access signature in a file, or the client
   id of a managed identity;
2. for the account that the environment names, the secrets of the environment: `AZURE_STORAGE_CONNECTION_STRING`,
   `AZURE_STORAGE_SAS_TOKEN`, `AZURE_STORAGE_KEY`;
3. `DefaultAzureCredential`: environment, workload identity, managed identity (user-assigned by `AZURE_CLIENT_ID`, else
   system-assigned), Azure CLI.

The environment names the account of `az://` URLs, and of `https://` URLs with the host of `AZURE_STORAGE_ACCOUNT_URL`.
A secret of one account is never sent to another.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

from azure.core.credentials import AzureSasCredential
from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob.aio import BlobServiceClient

from otel_modeldata.validation.loopback import is_loopback

from ..config.store_access import AccessConfig, parse_url
from ..exceptions import ConfigError, MissingVariableError
from .store import checked_name

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["ACCOUNT_URL_VARIABLE", "CONNECTION_STRING_VARIABLE", "StorageAccount", "account_of", "split_url"]

CONNECTION_STRING_VARIABLE: Final = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT_URL_VARIABLE: Final = "AZURE_STORAGE_ACCOUNT_URL"
SAS_VARIABLE: Final = "AZURE_STORAGE_SAS_TOKEN"
KEY_VARIABLE: Final = "AZURE_STORAGE_KEY"
"""The names that Azure's command line uses. Only the URL is different: an account's name does not include the cloud."""

EMULATOR_API_VERSION: Final = "2025-11-05"
"""The newest service version that released Azurites accept; they refuse the newer default of the library."""

_OPTIONS: Final[dict[str, Any]] = {
    "retry_total": 0,
    "connection_timeout": 5,
    "read_timeout": 10,
    "max_single_put_size": 1 << 20,
    "max_block_size": 1 << 20,
}
"""For every client. No retries: the library's retry appends a second copy of a block whose answer was lost. Timeouts in
seconds: to connect, and between two reads of an answer. Objects are sent in parts that do not block the event loop."""

_CONTAINER: Final = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccount:
    """The client of a storage account, and the token credential to close with it, if there is one."""

    service: BlobServiceClient = field(repr=False)
    credential: DefaultAzureCredential | None = field(default=None, repr=False)


class _SasFile(AzureSasCredential):
    """A shared access signature in a file, which is read again when it changes: signatures are renewed often."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = path.stat().st_mtime_ns
        super().__init__(_sas(_secret(path), str(path)))

    @property
    def signature(self) -> str:
        """The present signature; while the file cannot be read, the previous one."""
        try:
            seen = self._path.stat().st_mtime_ns
            if seen != self._seen:
                self.update(_sas(_secret(self._path), str(self._path)))
                self._seen = seen
        except (OSError, ConfigError):
            pass  # the service refuses it when it is too old, and that error is reported
        return super().signature


def split_url(url: str) -> tuple[str, str]:
    """Container and prefix (without slashes at its ends) of an `az://` or `https://` store URL.

    Raises:
        ConfigError: there is no valid container, the prefix leaves it, or the URL contains a secret.
    """
    parts = parse_url(url)
    if (parts.query and parts.scheme == "az") or parts.fragment or "@" in parts.netloc:
        raise ConfigError(
            "expected a store URL without '?', '#' and '@', got one that has them: "
            f"put a shared access signature into {CONNECTION_STRING_VARIABLE} or {SAS_VARIABLE}"
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


def account_of(url: str, access: AccessConfig | None = None) -> StorageAccount:
    """The account of a store URL; nothing is contacted.

    Args:
        url: of a store; only an `https://` URL may have a shared access signature as its query.
        access: the settings of its credentials.

    Raises:
        ConfigError: no account is named, or its name or credentials are malformed.
    """
    access = access or AccessConfig()
    parts = parse_url(url)
    if parts.scheme != "az":
        return _account_of_https(parts, access)
    if access.connection_string_file is not None:
        path = Path(access.connection_string_file)
        return _by_connection_string(_secret(path), str(path))
    connection = os.environ.get(CONNECTION_STRING_VARIABLE)
    if connection and not access.chosen:
        return _by_connection_string(connection, CONNECTION_STRING_VARIABLE)
    account = os.environ.get(ACCOUNT_URL_VARIABLE)
    if not account:
        raise MissingVariableError(
            f"expected {CONNECTION_STRING_VARIABLE} or {ACCOUNT_URL_VARIABLE} in the environment, got neither: "
            "az://container/prefix does not name the storage account"
        )
    return _open(account, access, _environment_secrets())


def _account_of_https(parts: SplitResult, access: AccessConfig) -> StorageAccount:
    if access.connection_string_file is not None:
        raise ConfigError(
            f"expected an az:// URL beside connection_string_file, got {parts.scheme}://{parts.hostname}: "
            "a connection string names the account itself"
        )
    account = f"https://{parts.netloc}"
    if parts.query:
        sas = _sas(parts.query, "the store's URL")
        return _open(account, AccessConfig(), {SAS_VARIABLE: sas})
    own = parse_url(os.environ.get(ACCOUNT_URL_VARIABLE, "")).hostname == parts.hostname
    return _open(account, access, _environment_secrets() if own else {})


def _environment_secrets() -> dict[str, str]:
    return {name: os.environ[name] for name in (SAS_VARIABLE, KEY_VARIABLE) if os.environ.get(name)}


def _open(url: str, access: AccessConfig, environment: dict[str, str]) -> StorageAccount:
    """The account at `url`, opened by the settings, else by a secret of the environment, else by identity."""
    if access.sas_file is not None:
        return _by_secret(url, _sas_file(Path(access.sas_file)))
    if access.account_key_file is not None:
        return _by_key(url, _secret(Path(access.account_key_file)), access.account_key_file)
    if access.identity is not None:
        return _by_identity(url, access.identity.client_id)
    if SAS_VARIABLE in environment:
        return _by_secret(url, AzureSasCredential(_sas(environment[SAS_VARIABLE], SAS_VARIABLE)))
    if KEY_VARIABLE in environment:
        return _by_key(url, environment[KEY_VARIABLE], KEY_VARIABLE)
    return _by_identity(url, None)


def _by_connection_string(connection: str, where: str) -> StorageAccount:
    try:
        service = BlobServiceClient.from_connection_string(connection, **_options())
        if _is_emulator(str(service.primary_hostname)):
            service = BlobServiceClient.from_connection_string(
                connection, api_version=EMULATOR_API_VERSION, **_options()
            )
    except ValueError:
        # Neither chained nor quoted: it contains the key.
        raise ConfigError(
            f"expected a storage connection string in {where}, got one that is malformed: "
            "copy it from the account's access keys"
        ) from None
    return StorageAccount(service=service)


def _by_key(url: str, key: str, where: str) -> StorageAccount:
    try:
        base64.b64decode(key, validate=True)
    except binascii.Error:
        raise ConfigError(
            f"expected an account key in base64 in {where}, got something else: copy it from the account's access keys"
        ) from None
    parts = parse_url(url)
    # The account is the path of an emulator's URL, and the first label of the host of Azure's.
    name = parts.path.strip("/") or (parts.hostname or "").partition(".")[0]
    return _by_secret(url, {"account_name": name, "account_key": key})


def _by_secret(url: str, credential: AzureSasCredential | dict[str, str]) -> StorageAccount:
    return StorageAccount(service=_service(_checked_url(url, loopback_http=True), credential))


def _by_identity(url: str, client_id: str | None) -> StorageAccount:
    url = _checked_url(url)
    chosen = {"managed_identity_client_id": client_id, "workload_identity_client_id": client_id} if client_id else {}
    credential = DefaultAzureCredential(**chosen)
    return StorageAccount(service=_service(url, credential), credential=credential)


def _service(url: str, credential: AzureSasCredential | dict[str, str] | DefaultAzureCredential) -> BlobServiceClient:
    options = _options()
    if _is_emulator(parse_url(url).hostname or ""):
        options["api_version"] = EMULATOR_API_VERSION
    return BlobServiceClient(url, credential=credential, **options)


def _checked_url(url: str, *, loopback_http: bool = False) -> str:
    """`url` without a slash at its end; `loopback_http` allows http to this machine, for an emulator."""
    parts = parse_url(url)
    secure = parts.scheme == "https" or (loopback_http and parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not secure or not parts.hostname or parts.query or "@" in parts.netloc:
        raise ConfigError(
            "expected an account URL like https://account.blob.core.windows.net, "
            f"got scheme {parts.scheme!r} and host {parts.hostname!r}: tokens are sent over https only"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _options() -> dict[str, Any]:
    """For every client. Without a proxy in the environment aiohttp must not search for one for every request."""
    return {**_OPTIONS, "use_env_settings": bool(getproxies())}


def _is_emulator(host: str) -> bool:
    return ".blob.core." not in host


def _sas_file(path: Path) -> _SasFile:
    try:
        return _SasFile(path)
    except OSError as error:
        raise _unreadable(path, error) from None


def _sas(text: str, where: str) -> str:
    signature = text.removeprefix("?")
    if "sig=" not in signature:
        raise ConfigError(
            f"expected a shared access signature with 'sig=' in {where}, got something else: "
            "copy the whole token, from 'sv=' on"
        )
    return signature


def _secret(path: Path) -> str:
    """The content of a secret's file.

    Raises:
        ConfigError: it cannot be read, or is empty; the message contains nothing of it.
    """
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None
    if not text:
        raise ConfigError(f"expected a secret in {str(path)!r}, got an empty file: write it there")
    return text


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"expected a secret in {str(path)!r}, got {type(error).__name__}: make it readable for the receiver's user"
    )
