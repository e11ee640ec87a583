"""Storage and workspace settings: how to open a store in Azure, the datastores, and the workspace.

Secrets are not settings: a setting names a file, or the environment holds the secret. The only exception is a shared
access signature in the query of a URL, which is never shown.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from otel_modeldata.validation.decoding import Rule

from .setting import Doc
from .store_url import is_store, shown_store

__all__ = [
    "AccessConfig",
    "DatastoreConfig",
    "DatastoreName",
    "IdentityConfig",
    "WorkspaceConfig",
]


class IdentityConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which managed identity to use."""

    client_id: Annotated[
        str,
        Doc(
            unit="UUID",
            meaning="client id of a user-assigned managed identity; AZURE_CLIENT_ID sets it for every store. "
            "Without either the system-assigned identity is used",
        ),
    ]


class AccessConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a store in Azure is opened: at most one of these; by default, the identity of the machine."""

    identity: Annotated[
        IdentityConfig | None, Doc(unit="mapping", meaning="open the store by this managed identity")
    ] = None
    sas_file: Annotated[
        str | None,
        Doc(unit="file", meaning="file with a shared access signature; it is read again when it changes"),
    ] = None
    account_key_file: Annotated[str | None, Doc(unit="file", meaning="file with an account key")] = None
    connection_string_file: Annotated[
        str | None,
        Doc(unit="file", meaning="file with a connection string, which also names the account of an az:// URL"),
    ] = None

    @property
    def chosen(self) -> list[str]:
        """The names of the settings that are set."""
        return [name for name in AccessConfig.__struct_fields__ if getattr(self, name) is not None]


class DatastoreConfig(AccessConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An Azure ML datastore: the container that its name stands for."""

    url: Annotated[
        str,
        Rule(expected="the URL of a store", accepts=is_store, advice="write for example az://container"),
        Doc(unit="URL", meaning="a store as in `store`, without the path that follows /paths/"),
    ]

    def __repr__(self) -> str:
        shown = {**msgspec.structs.asdict(self), "url": shown_store(self.url)}
        return f"DatastoreConfig({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


class WorkspaceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Azure ML workspace in which data assets are registered and datastores are looked up."""

    subscription_id: Annotated[str, Doc(unit="UUID", meaning="subscription of the workspace")]
    resource_group: Annotated[str, Doc(unit="name", meaning="resource group of the workspace")]
    name: Annotated[str, Doc(unit="name", meaning="name of the workspace")]


def _is_datastore_name(text: str) -> bool:
    parts = text.split("/")
    return len(parts) in {1, 4} and all(parts)


DatastoreName = Annotated[
    str, Rule(expected="NAME or SUBSCRIPTION/RESOURCEGROUP/WORKSPACE/NAME", accepts=_is_datastore_name)
]
