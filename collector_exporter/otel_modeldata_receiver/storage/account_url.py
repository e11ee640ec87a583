"""Reads what names a storage account, and the secrets that open it: URL, key and signature, as people paste them.

A value is taken as it was meant, or refused with what to write instead. No message contains a part of a secret.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from otel_modeldata.validation.loopback import is_loopback
from otel_modeldata.validation.pasted import pasted, unfilled

from ..config.store_url import OTHER_SERVICE, blob_host, parse_url
from ..exceptions import ConfigError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["ACCOUNT_NAME", "SAS_VARIABLE", "AccountUrl", "account_url", "checked_key", "checked_sas", "is_path_style"]

SAS_VARIABLE: Final = "AZURE_STORAGE_SAS_TOKEN"
ACCOUNT_NAME: Final = re.compile(r"[a-z0-9-]+", re.ASCII)
_EMULATOR_ACCOUNT: Final = "devstoreaccount1"
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]+", re.ASCII)
_ACCOUNT_ID: Final = re.compile(r"/?subscriptions/", re.IGNORECASE)
_ONE_SLASH: Final = re.compile(r"https?:?/", re.IGNORECASE)
_FORM: Final = "an account URL like https://account.blob.core.windows.net"
_NAME_OF_SAS: Final = re.compile(r"SharedAccessSignature\s*=\s*", re.IGNORECASE)
"""Its name in a connection string, which may have been copied with it."""
_SAS: Final = re.compile(r"[!#$%&'()*+,./:;=?@\[\]~\w-]+", re.ASCII)
"""What a query may contain."""
_ENCODED_TWICE: Final = re.compile(r"(?:^|&)sig=[^&]*%25")
_READ_ONLY: Final = "-secondary"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUrl:
    """The URL of a storage account.

    Attributes:
        url: without a slash at its end.
        host: its host.
        name: the name of the account; None where the URL does not have it, as with a domain of one's own.
    """

    url: str
    host: str
    name: str | None

    def check_secure(self, *, loopback_http: bool = False) -> None:
        """Refuse http; `loopback_http` allows it to this machine, for an emulator.

        Raises:
            ConfigError: what is sent to this URL could be read on its way.
        """
        scheme = self.url.partition("://")[0]
        if scheme != "https" and not (loopback_http and is_loopback(self.host)):
            raise ConfigError(
                f"expected {_FORM}, got scheme {scheme!r} and host {self.host!r}: tokens are sent over https only"
            )


def account_url(text: str, where: str) -> AccountUrl:
    """The account that `text` names.

    Args:
        text: as it was given.
        where: the variable or the setting it is in, for messages.

    Raises:
        ConfigError: it is not the URL of an account.
    """
    text = pasted(text)
    if (what := unfilled(text)) is not None:
        raise ConfigError(f"expected {_FORM} in {where}, got {what}: write the value itself")
    if "://" not in text:
        if _ACCOUNT_ID.match(text):
            name = text.rstrip("/").rpartition("/")[2]
            raise ConfigError(
                f"expected {_FORM} in {where}, got an id of Azure: write https://{name}.blob.core.windows.net"
            )
        if _ONE_SLASH.match(text):
            raise ConfigError(f"expected {_FORM} in {where}, got one without '//' behind its scheme: write both")
        if ACCOUNT_NAME.fullmatch(text):
            raise ConfigError(
                f"expected {_FORM} in {where}, got the name of an account: write https://{text}.blob.core.windows.net"
            )
        text = f"https://{text}"
    parts = parse_url(text)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigError(
            f"expected {_FORM} in {where}, got one with '?', '#' or '@': a shared access signature, which is what "
            f"follows '?', belongs into {SAS_VARIABLE}"
        )
    return _account(parts, where)


def _account(parts: SplitResult, where: str) -> AccountUrl:
    host = blob_host((parts.hostname or "").lower())
    path = parts.path.strip("/")
    if parts.scheme not in {"http", "https"}:
        raise ConfigError(
            f"expected {_FORM} in {where}, got scheme {parts.scheme!r} and host {host!r}: tokens are sent over https "
            "only"
        )
    if _HOST.fullmatch(host) is None:
        raise ConfigError(f"expected {_FORM} in {where}, got the host {host!r}: write the account's own host")
    if (service := OTHER_SERVICE.search(host)) is not None:
        cure = f"write https://{host.replace(service[0], '.blob.', 1)}"
        raise ConfigError(f"expected {_FORM} in {where}, got the host of {service[1]!r}: {cure}")
    root = f"{parts.scheme}://{blob_host(parts.netloc.lower())}"
    if ".blob." not in host:
        if "/" in path or (not path and is_path_style(host)):
            raise ConfigError(
                f"expected {_FORM} in {where}, got scheme {parts.scheme!r} and host {host!r} with the path "
                f"{parts.path!r}: an emulator's URL has the account as its path, {root}/{_EMULATOR_ACCOUNT}"
            )
        return AccountUrl(url=f"{root}/{path}" if path else root, host=host, name=path or None)
    if path:
        raise ConfigError(
            f"expected {_FORM} in {where}, got one with a path ({path!r}): write {root} there, and the container into "
            f"the store's URL, az://{path}"
        )
    name = host.partition(".")[0]
    if ACCOUNT_NAME.fullmatch(name) is None:
        raise ConfigError(f"expected {_FORM} in {where}, got {name!r} as the name of the account: write its own name")
    if name.endswith(_READ_ONLY):
        raise ConfigError(
            f"expected {_FORM} in {where}, got the host of a copy that is read-only: write it without {_READ_ONLY!r}"
        )
    return AccountUrl(url=root, host=host, name=name)


def is_path_style(host: str, path: str = "") -> bool:
    """Whether the first segment of a URL's path is the account, as emulators have it."""
    if ".blob." in host:
        return False
    return "." not in host or _is_address(host) or path.strip("/").partition("/")[0] == _EMULATOR_ACCOUNT


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def checked_key(text: str, where: str) -> str:
    """An account key without what was pasted with it.

    Raises:
        ConfigError: it is empty, or not base64.
    """
    key = pasted(text)
    given = unfilled(key) or ("an empty one" if not key else None)
    try:
        if given is None and base64.b64decode(key, validate=True):
            return key
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        given = "something else"
    raise ConfigError(
        f"expected an account key in base64 in {where}, got {given}: copy it from the account's access keys"
    )


def checked_sas(text: str, where: str) -> str:
    """A shared access signature without what was pasted with it.

    Raises:
        ConfigError: it is another text.
    """
    signature = pasted(_NAME_OF_SAS.sub("", pasted(text))).lstrip("?&").rstrip("&")
    what = unfilled(signature)
    if what is None and "://" in signature.partition("sig=")[0]:
        raise ConfigError(
            f"expected a shared access signature in {where}, got a whole URL: keep what follows its '?', from 'sv=' on"
        )
    fields = dict(parse_qsl(signature))
    if what is None and fields.get("sig") and _SAS.fullmatch(signature):
        if _ENCODED_TWICE.search(signature):
            raise ConfigError(
                f"expected a shared access signature in {where}, got one that is encoded twice ('%25'): copy it again"
            )
        return signature
    raise ConfigError(
        f"expected a shared access signature with 'sig=' in {where}, got {what or 'something else'}: copy the whole "
        "token, from 'sv=' on"
    )
