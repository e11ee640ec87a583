"""The URL of a store: what people write, what they mean by it, and what may be shown of it.

`meant_store` is the only place that reads such a text. It returns one of three forms: a path, `az://container/prefix`,
or `https://host/container/prefix` (`http://` for an emulator on this machine). What it cannot read for certain it
refuses, with the text to write instead: a folder named `az:` would take the data of a container.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from otel_modeldata.validation.loopback import is_loopback
from otel_modeldata.validation.pasted import pasted, unfilled

from ..exceptions import ConfigError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = [
    "OTHER_SERVICE",
    "blob_host",
    "cleaned_store",
    "has_secret",
    "is_azure",
    "is_store",
    "meant_store",
    "parse_url",
    "shown_store",
]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
"""At least two letters: one letter is a drive of Windows."""
_WINDOWS_PATH: Final = re.compile(r"/?[A-Za-z]:([/\\]|$)|\\\\", re.ASCII)
_VARIABLE: Final = re.compile(r"\$[A-Za-z_]|\$[{(]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_QUOTES: Final = "\"'\u201c\u201d\u2018\u2019`"
_HADOOP: Final = frozenset({"abfs", "abfss", "wasb", "wasbs"})
OTHER_SERVICE: Final = re.compile(r"\.(file|queue|table|web)\.")
"""A host of a storage account that is not its blob service."""
_NO_SCHEME: Final = re.compile(
    r"/{0,2}(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:blob|dfs)\.[a-z0-9.-]+)(?::\d+)?(?:/|$)", re.IGNORECASE
)
"""The host of an account at the beginning of a text, where a folder would be meant otherwise."""
_BROKEN_SCHEME: Final = re.compile(
    r"(?P<scheme>https?|az|abfss?|wasbs?|file|dbfs)\s*:?(?P<rest>\s*//|\s+:.*)", re.IGNORECASE | re.DOTALL
)
"""`https//host` and `az ://container`: a colon too few, a space too much."""
_ACCOUNT_ID: Final = re.compile(r"/?subscriptions/[^/]+/resourceGroups/", re.IGNORECASE)
_SECRET: Final = re.compile(
    r"(?i)((?:^|[?&;\s\"'])(?:sig|AccountKey|SharedAccessSignature|SharedAccessKey)\s*=\s*)[^;&\s]+"
    r"|(://[^/@\s:]*:)[^/@\s]+(?=@)"
)
_CONNECTION: Final = re.compile(
    r"(?i)(DefaultEndpointsProtocol|UseDevelopmentStorage|BlobEndpoint|AccountName|AccountKey|SharedAccessSignature)\s*="
)
_FORMS: Final = "a store URL that starts with file://, az:// or https://, or a path"


def cleaned_store(text: str) -> str:
    """`text` without what was pasted with it; a `~` at its beginning is the home folder, as in a shell."""
    text = pasted(text)
    return os.path.expanduser(text) if text.startswith("~") else text  # noqa: PTH111 (keeps the text as it is)


def meant_store(text: str) -> str:
    """The store that `text` means, in one of the forms above.

    Raises:
        ConfigError: nothing, or nothing certain; the message says what to write.
    """
    text = cleaned_store(text)
    if not text:
        raise ConfigError("expected a store URL like 'file:///dir' or 'az://container/prefix', got an empty one")
    _check_pasted(text)
    match = _SCHEME.fullmatch(text)
    if match is None:
        return _path(text)
    scheme, rest = match[1].lower(), match[2]
    if rest.startswith("//"):
        parse_url(text)
    if scheme == "file":
        return _file_path(text, rest)
    if scheme == "az":
        return _az(rest)
    if scheme in {"http", "https"}:
        if not rest.startswith("//"):
            written = f"{scheme}://{rest.lstrip('/')}"
            raise ConfigError(
                f"expected two slashes after '{scheme}:', got {shown_store(text)!r}: write {without_secrets(written)}"
            )
        return _https(parse_url(f"{scheme}:{rest}"))
    raise ConfigError(f"expected {_FORMS}, got scheme {scheme!r}: {_cure(scheme, rest, text)}")


def is_azure(meant: str) -> bool:
    """Whether a store, as `meant_store` returns it, is in Azure or an emulator of it."""
    return meant.startswith(("az://", "https://", "http://"))


def _check_pasted(text: str) -> None:
    what = unfilled(text)
    if what is None and _VARIABLE.search(text.partition("?")[0]) is not None:
        what = "a variable that no shell has replaced"
    if what is not None:
        raise ConfigError(f"expected {_FORMS}, got {what} ({shown_store(text)!r}): write the value itself")
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        raise ConfigError(f"expected {_FORMS}, got one with a quote at one end ({shown_store(text)!r}): remove it")
    if _CONTROL.search(text):
        raise ConfigError(f"expected {_FORMS}, got one with control characters: write it in one line")
    if _CONNECTION.match(text) or (has_secret(text) and _SCHEME.fullmatch(text) is None):
        raise ConfigError(
            f"expected {_FORMS}, got a connection string or a signature: put it into AZURE_STORAGE_CONNECTION_STRING "
            "or AZURE_STORAGE_SAS_TOKEN, and write az://container/prefix here"
        )


def _path(text: str) -> str:
    if text.startswith("~"):
        raise ConfigError(f"expected the name of a user of this machine after '~', got {text!r}: write the whole path")
    if (named := _NO_SCHEME.match(text)) is not None:
        written = f"https://{blob_host(text.lstrip('/'))}"
        raise ConfigError(f"expected {_FORMS}, got the host {named['host']!r} without a scheme: write {written}")
    if (broken := _BROKEN_SCHEME.match(text)) is not None:
        raise ConfigError(f"expected {_FORMS}, got {shown_store(text)!r}: write {broken['scheme'].lower()}://...")
    if _ACCOUNT_ID.match(text):
        raise ConfigError(
            f"expected {_FORMS}, got an id of Azure: write https://account.blob.core.windows.net/container"
        )
    if os.name != "nt" and _WINDOWS_PATH.match(text):
        raise ConfigError(
            f"expected a folder of this machine, got the path {text!r} of Windows: write the path at which it is here"
        )
    return text


def _file_path(text: str, rest: str) -> str:
    if (home := rest.lstrip("/")).startswith("~"):
        raise ConfigError(f"expected file:///dir with an absolute path, got {text!r}: write {home} without file:")
    authority, path = "", rest
    if rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        path = slash + path
    if authority.lower() not in {"", "localhost"} or not path.startswith("/"):
        raise ConfigError(
            f"expected file:///dir with an absolute path, got {shown_store(text)!r}: put three slashes after 'file:'"
        )
    path = unquote(path)
    if _CONTROL.search(path):
        raise ConfigError(f"expected a folder, got one with control characters ({text!r}): write its name as it is")
    return _path(path.removeprefix("/") if os.name == "nt" and _WINDOWS_PATH.match(path) else path)


def _az(rest: str) -> str:
    if not rest.startswith("//"):
        written = f"az://{rest.replace(chr(92), '/').lstrip('/') or 'container/prefix'}"
        raise ConfigError(f"expected two slashes after 'az:', got {shown_store(f'az:{rest}')!r}: write {written}")
    authority, _, path = rest[2:].partition("/")
    container, at, account = authority.partition("@")
    container, colon, _ = container.partition(":")
    if colon and at:  # a password, which no message repeats
        raise ConfigError("expected az://container/prefix, got a name and a password in it: remove them")
    if at:
        raise ConfigError(
            f"expected az://container/prefix, got an account in it: write {_https_of(container, account, path)}, or "
            f"name the account in AZURE_STORAGE_ACCOUNT_URL and write az://{_joined(container, path)}"
        )
    if "." in authority:
        written = f"https://{_joined(authority, path)}"
        raise ConfigError(f"expected az://container/prefix, got the host {authority!r} in it: write {written}")
    return f"az:{rest}"


def _https(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if "@" in parts.netloc:
        raise ConfigError(
            "expected a store URL without '?', '#' and '@', got one that has '@': remove what is before it"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(
            f"expected https, got http and the host {host!r}: tokens are sent over https only. For an emulator write "
            "az://container/prefix and set AZURE_STORAGE_CONNECTION_STRING"
        )
    if (service := OTHER_SERVICE.search(host)) is not None:
        cure = f"write https://{host.replace(service[0], '.blob.', 1)}/container"
        raise ConfigError(f"expected the host of the blob service, got that of {service[1]!r}: {cure}")
    return parts._replace(netloc=blob_host(parts.netloc.lower())).geturl()


def blob_host(host: str) -> str:
    """The blob service beside a Data Lake endpoint: the same account, and the only one with append blobs."""
    return host.replace(".dfs.", ".blob.", 1)


def _cure(scheme: str, rest: str, text: str) -> str:
    if scheme in _HADOOP:
        container, at, behind = rest.lstrip("/").partition("@")
        account, _, path = behind.partition("/")
        if at:
            return f"write {_https_of(container, account, path)}"
        return f"write az://{container}"
    if scheme == "dbfs":
        is_volume = rest.lstrip("/").lower().startswith("volumes/")
        return f"write {PurePosixPath('/' if is_volume else '/dbfs', rest.lstrip('/'))}, where Databricks mounts it"
    if scheme == "azureml":
        return (
            "only `otel-modeldata receive` knows datastores (settings datastores and workspace); write the URL of its "
            "container"
        )
    if "://" not in text:
        return f"write ./{text} for a folder of that name"
    return "use for example 'file:///var/lib/modeldata' or 'az://container/prefix'"


def _https_of(container: str, account: str, path: str) -> str:
    host = blob_host(account) if "." in account else f"{account}.blob.core.windows.net"
    return f"https://{host}/{_joined(container, path)}"


def _joined(first: str, rest: str) -> str:
    return f"{first}/{rest}" if rest else first


def has_secret(text: str) -> bool:
    """Whether a text has a signature, a key or a password in it."""
    return _SECRET.search(text) is not None


def without_secrets(text: str) -> str:
    """A text with signatures, keys and passwords replaced."""
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}REDACTED", text)


def shown_store(url: str) -> str:
    """A store's URL for messages and logs: no query (it may hold a SAS), no user information, no keys."""
    scheme, separator, rest = url.partition("://")
    if not separator or "?" in scheme or scheme.lower() == "file":
        return without_secrets(url)
    authority, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def is_store(text: str) -> bool:
    """Whether `text` may be a folder or a URL: neither empty nor a URL that cannot be read."""
    try:
        parse_url(text)
    except ConfigError:
        return False
    return bool(pasted(text))


def parse_url(url: str) -> SplitResult:
    """The parts of the URL of a store or a storage account.

    Raises:
        ConfigError: it is no URL, for example one with half of the brackets of an IPv6 address.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # checked when it is read
    except ValueError as error:
        raise ConfigError(f"expected a URL, got one that cannot be read ({error}): correct it") from None
    return parts
