"""A secret in the environment that looks as if it opened the store, and does not."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from otel_modeldata.validation.problems import Problem

from ..exceptions import ConfigError
from .store_url import meant_store, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .receiver import ReceiverConfig

__all__ = ["unused_secret"]

_CONNECTION_STRING: Final = "AZURE_STORAGE_CONNECTION_STRING"
_ACCOUNT_URL: Final = "AZURE_STORAGE_ACCOUNT_URL"
_ACCOUNT_NAME: Final = re.compile(r"(?:^|;)\s*AccountName=([^;]*)", re.IGNORECASE)


def unused_secret(config: ReceiverConfig) -> Iterator[Problem]:
    """A warning if a connection string of the store's own account is not used, because the store is a URL of https.

    `az://` URLs take their account from the environment. An `https://` URL names its account, and is opened with what
    belongs to this URL: its signature, the settings of `store_access`, else the machine's identity.
    """
    try:
        parts = parse_url(meant_store(config.store))
    except (ConfigError, ValueError):  # a folder or a datastore path; or reported already
        return
    if parts.scheme != "https" or parts.query or config.store_access.chosen:
        return
    given = _ACCOUNT_NAME.search(os.environ.get(_CONNECTION_STRING, ""))
    account = (parts.hostname or "").partition(".")[0]
    if given is not None and given[1].strip().lower() == account and not os.environ.get(_ACCOUNT_URL):
        container = parts.path.strip("/")
        yield Problem(
            "store",
            f"{_CONNECTION_STRING} is of this account, but is not used: an https URL is opened with the machine's "
            f"identity; to use it, write az://{container}",
        )
