"""Reads a connection string of a storage account strictly.

Azure's library takes each part as it is: a quote at the end becomes a part of the host, a missing key an anonymous
client. Its errors come with the first request, and name the network. Here each part is checked before. No message
contains a part of the string.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from otel_modeldata.validation.pasted import pasted, unfilled

from ..exceptions import ConfigError
from .account_url import ACCOUNT_NAME, account_url, checked_key, checked_sas

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["cleaned_connection_string"]

_NAMES: Final = {
    name.lower(): name
    for name in (
        "DefaultEndpointsProtocol",
        "AccountName",
        "AccountKey",
        "SharedAccessSignature",
        "EndpointSuffix",
        "BlobEndpoint",
        "UseDevelopmentStorage",
        "DevelopmentStorageProxyUri",
    )
}
"""The parts that matter here; others are of other services."""
_SUFFIX: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII | re.IGNORECASE)


def cleaned_connection_string(text: str, where: str) -> str:
    """A connection string without what was pasted with it, each part checked.

    Args:
        text: as it was given.
        where: the variable or the file it is in, for messages.

    Raises:
        ConfigError: a part is missing or malformed.
    """
    parts = _parts(pasted(text), where)
    if parts.get("UseDevelopmentStorage", "").lower() == "true":
        if parts.keys() & {"AccountName", "AccountKey", "BlobEndpoint", "SharedAccessSignature"}:
            raise _malformed("one that names an account and the emulator", where, "write one of the two")
        if "DevelopmentStorageProxyUri" in parts:
            raise _malformed(
                "one with DevelopmentStorageProxyUri: write AccountName, AccountKey and BlobEndpoint", where
            )
        return "UseDevelopmentStorage=true"
    checked = {**_address(parts, where), **_secret(parts, where)}
    return ";".join(f"{name}={value}" for name, value in checked.items())


def _parts(text: str, where: str) -> dict[str, str]:
    """The parts that matter, by their names as Azure writes them."""
    if (what := unfilled(text)) is not None:
        raise _malformed(what, where)
    parts: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        given, equals, value = part.partition("=")
        if not equals:
            raise _malformed("one that is malformed", where)
        if (name := _NAMES.get(given.strip().lower())) is not None:
            if name in parts:
                raise _malformed(f"one with two values of {name}", where)
            parts[name] = pasted(value)
    return parts


def _address(parts: Mapping[str, str], where: str) -> dict[str, str]:
    """The parts that name the account."""
    name = parts.get("AccountName", "").lower()
    if "AccountName" in parts and ACCOUNT_NAME.fullmatch(name) is None:
        raise _malformed(f"one whose AccountName is {'not a name' if name else 'empty'}", where)
    named = {"AccountName": name} if name else {}
    if "BlobEndpoint" in parts:
        endpoint = account_url(parts["BlobEndpoint"], f"BlobEndpoint of {where}")
        if name and endpoint.name not in {None, name}:
            raise _malformed("one whose AccountName and BlobEndpoint name two accounts", where)
        return {**named, "BlobEndpoint": endpoint.url}
    if not name:
        raise _malformed("one that is malformed: it has neither AccountName nor BlobEndpoint", where)
    protocol = parts.get("DefaultEndpointsProtocol", "https").lower()
    suffix = parts.get("EndpointSuffix", "core.windows.net").strip("./")
    if protocol not in {"http", "https"}:
        raise _malformed("one whose DefaultEndpointsProtocol is neither https nor http", where)
    suffix = suffix.removeprefix("blob.")
    if _SUFFIX.fullmatch(suffix) is None:
        raise _malformed("one whose EndpointSuffix is not a name", where)
    return {"DefaultEndpointsProtocol": protocol, **named, "EndpointSuffix": suffix}


def _secret(parts: Mapping[str, str], where: str) -> dict[str, str]:
    """The part that opens the account; without one the client would be anonymous."""
    if "AccountKey" in parts:
        if "AccountName" not in parts:
            raise _malformed("one with AccountKey and without AccountName", where)
        return {"AccountKey": checked_key(parts["AccountKey"], f"AccountKey of the connection string in {where}")}
    if "SharedAccessSignature" in parts:
        if _is_plain(parts):
            raise _malformed("one with a signature and http", where, "write https, because requests contain it")
        place = f"SharedAccessSignature of the connection string in {where}"
        return {"SharedAccessSignature": checked_sas(parts["SharedAccessSignature"], place)}
    raise _malformed("one without AccountKey and SharedAccessSignature", where)


def _is_plain(parts: Mapping[str, str]) -> bool:
    """Whether requests to Azure itself would not be encrypted; a key signs them, a signature is in them."""
    endpoint = parts.get("BlobEndpoint", "").lower()
    if endpoint:
        return endpoint.startswith("http://") and ".blob." in endpoint
    return parts.get("DefaultEndpointsProtocol", "").lower() == "http"


def _malformed(what: str, where: str, cure: str = "copy it from the account's access keys") -> ConfigError:
    return ConfigError(f"expected a storage connection string in {where}, got {what}: {cure}")
