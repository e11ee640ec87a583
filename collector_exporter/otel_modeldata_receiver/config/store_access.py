"""Settings of places outside: how a store in Azure is opened, what a datastore's name means, which workspace there is.

Secrets are no settings: a file's path or the environment says where one is, and nothing here ever holds it, but for a
shared access signature in a URL's query, which is never shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class IdentityConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which managed identity to use.

    Attributes:
        client_id: of a user-assigned identity; `AZURE_CLIENT_ID` says it for every store at once. Without either the
            system-assigned identity is used.
    """

    client_id: str


class AccessConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a store in Azure is opened; at most one of these, none is the machine's identity. Secrets stay in files.

    Attributes:
        identity: which managed identity.
        sas_file: file with a shared access signature; it is read again when it changes.
        account_key_file: file with an account key.
        connection_string_file: file with a connection string, which names the account of an `az://` URL, too.
    """

    identity: IdentityConfig | None = None
    sas_file: str | None = None
    account_key_file: str | None = None
    connection_string_file: str | None = None

    @property
    def chosen(self) -> list[str]:
        """The names of the settings that are set."""
        return [name for name in AccessConfig.__struct_fields__ if getattr(self, name) is not None]


class DatastoreConfig(AccessConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An Azure ML datastore: the container that its name stands for.

    Attributes:
        url: a store as in `store`, without the path that follows `/paths/`.
    """

    url: str

    def __repr__(self) -> str:
        shown = {**msgspec.structs.asdict(self), "url": shown_store(self.url)}
        return f"DatastoreConfig({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


class WorkspaceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Azure ML workspace that data assets are registered in and datastores are looked up in."""

    subscription_id: str
    resource_group: str
    name: str


def shown_store(url: str) -> str:
    """A store's URL for messages and logs: no query (it may hold a SAS), no user information."""
    scheme, separator, rest = url.partition("?")[0].partition("://")
    if not separator:
        return scheme
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def access_problems(where: str, access: AccessConfig) -> Iterator[str]:
    """What is wrong with an access that stands in the settings at `where`."""
    if len(access.chosen) > 1:
        yield f"{where}: expected one way to open it, got {' and '.join(access.chosen)}; keep one of them"


def datastore_problems(where: str, name: str, datastore: DatastoreConfig) -> Iterator[str]:
    """What is wrong with an entry of `datastores`."""
    if len(name.split("/")) not in {1, 4} or not all(name.split("/")):
        yield f"{where}: expected NAME or SUBSCRIPTION/RESOURCEGROUP/WORKSPACE/NAME, got {name!r}; correct it"
    if not datastore.url:
        yield f"{where}: expected the URL of a store, got ''; write for example az://container"
    yield from access_problems(where, datastore)
