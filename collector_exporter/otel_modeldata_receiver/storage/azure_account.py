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

import codecs
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

from azure.core.credentials import AzureSasCredential
from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob.aio import BlobServiceClient

from otel_modeldata.validation.pasted import pasted

from ..config.store_access import AccessConfig
from ..config.store_url import parse_url
from ..exceptions import ConfigError, MissingVariableError
from .account_url import ACCOUNT_NAME, SAS_VARIABLE, account_url, checked_key, checked_sas, is_path_style
from .connection_string import cleaned_connection_string
from .store import checked_name

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from .account_url import AccountUrl

__all__ = ["ACCOUNT_URL_VARIABLE", "CONNECTION_STRING_VARIABLE", "StorageAccount", "account_of", "split_url"]

CONNECTION_STRING_VARIABLE: Final = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT_URL_VARIABLE: Final = "AZURE_STORAGE_ACCOUNT_URL"
KEY_VARIABLE: Final = "AZURE_STORAGE_KEY"
_ACCOUNT_VARIABLE: Final = "AZURE_STORAGE_ACCOUNT"
"""The names that Azure's command line uses. Only the URL is different: an account's name does not include the cloud."""

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""How a file begins that `>` of Windows PowerShell wrote."""
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
    """The client of a storage account.

    Attributes:
        service: the client.
        credential: token credential to close with it, if there is one.
        origin: what names and opens the account, for messages.
    """

    service: BlobServiceClient = field(repr=False)
    credential: DefaultAzureCredential | None = field(default=None, repr=False)
    origin: str = "the machine's identity"


class _SasFile(AzureSasCredential):
    """A shared access signature in a file, which is read again when it changes: signatures are renewed often."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = path.stat().st_mtime_ns
        super().__init__(checked_sas(_secret(path), str(path)))

    @property
    def signature(self) -> str:
        """The present signature; while the file cannot be read, the previous one."""
        try:
            seen = self._path.stat().st_mtime_ns
            if seen != self._seen:
                self.update(checked_sas(_secret(self._path), str(self._path)))
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
    path = f"{parts.netloc}{parts.path}" if parts.scheme == "az" else _path_below_account(parts)
    container, _, prefix = path.partition("/")
    if _CONTAINER.fullmatch(container) is None:
        raise ConfigError(
            "expected a container name of 3 to 63 lower-case letters, digits and single hyphens, "
            f"got {container!r}: write az://container/prefix"
        )
    prefix = prefix.rstrip("/")
    if "%" in prefix:
        raise ConfigError(
            f"expected a prefix without '%', got {prefix!r}: readers do not decode it; use letters, digits and ._-="
        )
    try:
        return container, checked_name(prefix) if prefix else ""
    except ValueError:
        raise ConfigError(
            f"expected a relative name without '.', '..', '//' and backslashes below the container, got {prefix!r}: "
            f"write for example az://{container}/prod"
        ) from None


def _path_below_account(parts: SplitResult) -> str:
    """Container and prefix in the path of an `https://` URL; an emulator has the account before them."""
    path = parts.path.removeprefix("/")
    return path.partition("/")[2] if is_path_style(parts.hostname or "", path) else path


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
    environment = _environment()
    if CONNECTION_STRING_VARIABLE in environment and not access.chosen:
        return _by_connection_string(environment[CONNECTION_STRING_VARIABLE], CONNECTION_STRING_VARIABLE)
    if ACCOUNT_URL_VARIABLE not in environment:
        name = pasted(os.environ.get(_ACCOUNT_VARIABLE, "")).lower()
        is_name = ACCOUNT_NAME.fullmatch(name) is not None
        written = f" (write {ACCOUNT_URL_VARIABLE}=https://{name}.blob.core.windows.net)" if is_name else ""
        raise MissingVariableError(
            f"expected {CONNECTION_STRING_VARIABLE} or {ACCOUNT_URL_VARIABLE} in the environment, got neither: "
            f"az://container/prefix does not name the storage account{written}"
        )
    return _open(account_url(environment[ACCOUNT_URL_VARIABLE], ACCOUNT_URL_VARIABLE), access, environment)


def _account_of_https(parts: SplitResult, access: AccessConfig) -> StorageAccount:
    if access.connection_string_file is not None:
        raise ConfigError(
            f"expected an az:// URL beside connection_string_file, got {parts.scheme}://{parts.hostname}: "
            "a connection string names the account itself"
        )
    account = _account_of_store(parts)
    if parts.query:
        return _open(account, AccessConfig(), {SAS_VARIABLE: checked_sas(parts.query, "the store's URL")})
    environment = _environment()
    if is_path_style(account.host, account.name or "") and not access.chosen:
        return _open_emulator(account, environment)
    own = environment.get(ACCOUNT_URL_VARIABLE)
    is_own = own is not None and account_url(own, ACCOUNT_URL_VARIABLE).host == account.host
    return _open(account, access, environment if is_own else {})


def _account_of_store(parts: SplitResult) -> AccountUrl:
    path = parts.path.strip("/")
    account = path.partition("/")[0] if is_path_style(parts.hostname or "", path) else ""
    return account_url(f"{parts.scheme}://{parts.netloc}/{account}", "the store")


def _open_emulator(account: AccountUrl, environment: dict[str, str]) -> StorageAccount:
    """An account in an emulator: by the connection string, too, if it is that of this account."""
    if CONNECTION_STRING_VARIABLE in environment:
        given = _by_connection_string(environment[CONNECTION_STRING_VARIABLE], CONNECTION_STRING_VARIABLE)
        if str(given.service.url).partition("?")[0].rstrip("/") == account.url:
            return given
    own = environment.get(ACCOUNT_URL_VARIABLE)
    is_own = own is not None and account_url(own, ACCOUNT_URL_VARIABLE).url == account.url
    return _open(account, AccessConfig(), environment if is_own else {})


def _environment() -> dict[str, str]:
    """The variables of an account that are set, without what was pasted with them."""
    names = (CONNECTION_STRING_VARIABLE, ACCOUNT_URL_VARIABLE, SAS_VARIABLE, KEY_VARIABLE)
    return {name: value for name in names if (value := pasted(os.environ.get(name, "")))}


def _open(account: AccountUrl, access: AccessConfig, environment: dict[str, str]) -> StorageAccount:
    """The account, opened by the settings, else by a secret of the environment, else by identity."""
    if access.sas_file is not None:
        return _by_secret(account, _sas_file(Path(access.sas_file)), access.sas_file)
    if access.account_key_file is not None:
        return _by_key(account, _secret(Path(access.account_key_file)), access.account_key_file)
    if access.identity is not None:
        return _by_identity(account, access.identity.client_id)
    if SAS_VARIABLE in environment:
        sas = AzureSasCredential(checked_sas(environment[SAS_VARIABLE], SAS_VARIABLE))
        return _by_secret(account, sas, f"the signature in {SAS_VARIABLE}")
    if KEY_VARIABLE in environment:
        return _by_key(account, environment[KEY_VARIABLE], KEY_VARIABLE)
    return _by_identity(account, None)


def _by_connection_string(connection: str, where: str) -> StorageAccount:
    connection = cleaned_connection_string(connection, where)
    try:
        service = BlobServiceClient.from_connection_string(connection, **_options())
        if _is_emulator(str(service.primary_hostname)):
            service = BlobServiceClient.from_connection_string(
                connection, api_version=_version_for_emulators(service), **_options()
            )
    except ValueError:
        # Neither chained nor quoted: it contains the key.
        raise ConfigError(
            f"expected a storage connection string in {where}, got one that is malformed: "
            "copy it from the account's access keys"
        ) from None
    return StorageAccount(service=service, origin=f"the connection string in {where}")


def _by_key(account: AccountUrl, key: str, where: str) -> StorageAccount:
    key = checked_key(key, where)
    if account.name is None:
        raise ConfigError(
            f"expected a URL with the name of the account beside the key in {where}, got host {account.host!r}: write "
            "https://account.blob.core.windows.net"
        )
    return _by_secret(account, {"account_name": account.name, "account_key": key}, f"the key in {where}")


def _by_secret(account: AccountUrl, credential: AzureSasCredential | dict[str, str], origin: str) -> StorageAccount:
    account.check_secure(loopback_http=True)
    return StorageAccount(service=_service(account, credential), origin=origin)


def _by_identity(account: AccountUrl, client_id: str | None) -> StorageAccount:
    account.check_secure()
    chosen = {"managed_identity_client_id": client_id, "workload_identity_client_id": client_id} if client_id else {}
    credential = DefaultAzureCredential(**chosen)
    return StorageAccount(service=_service(account, credential), credential=credential)


def _service(
    account: AccountUrl, credential: AzureSasCredential | dict[str, str] | DefaultAzureCredential
) -> BlobServiceClient:
    service = BlobServiceClient(account.url, credential=credential, **_options())
    if _is_emulator(account.host):
        version = _version_for_emulators(service)
        service = BlobServiceClient(account.url, credential=credential, api_version=version, **_options())
    return service


def _version_for_emulators(by_default: BlobServiceClient) -> str:
    """The newest service version that emulators and the library know: releases before 12.27 have an older one."""
    return min(EMULATOR_API_VERSION, str(by_default.api_version))


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


def _secret(path: Path) -> str:
    """The content of a secret's file.

    Raises:
        ConfigError: it cannot be read, or is empty; the message contains nothing of it.
    """
    try:
        content = path.read_bytes()
        text = pasted(content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None
    if not text:
        raise ConfigError(f"expected a secret in {str(path)!r}, got an empty file: write it there")
    return text


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"expected a secret in {str(path)!r}, got {type(error).__name__}: make it readable for the receiver's user"
    )
