"""Azure ML's datastore paths, and the containers that they name.

A path is `azureml://datastores/<name>/paths/<path>`, or the long form that contains the workspace. The name of a
datastore stands for a container. The receiver's setting `datastores` lists the containers; other datastores are looked
up in Azure ML, if the setting `workspace` is set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..config.store_access import AccessConfig, DatastoreConfig, IdentityConfig
from ..exceptions import ConfigError
from ..storage.store import checked_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..config.store_access import WorkspaceConfig

__all__ = ["DatastorePath", "Datastores", "is_datastore_path"]

SCHEME: Final = "azureml://"
_FORM: Final = re.compile(
    r"azureml://"
    r"(?:subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)/workspaces/(?P<workspace>[^/]+)/)?"
    r"datastores/(?P<name>[A-Za-z0-9_-]+)/paths(?:/(?P<path>.*))?",
    re.ASCII | re.IGNORECASE,
)
_PATH: Final = re.compile(r"[A-Za-z0-9._=/-]*", re.ASCII)
"""Characters that need no escape in a URL: readers use the path of `dataref` as a blob's name without decoding it."""


def is_datastore_path(text: str) -> bool:
    """Whether `text` is meant as a datastore path."""
    return text.lower().startswith("azureml:")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastorePath:
    """A folder of a datastore.

    Attributes:
        name: the datastore's name.
        workspace: subscription, resource group and workspace; None in the short form.
        path: the folder, without slashes at its ends; empty for the whole datastore.
    """

    name: str
    workspace: tuple[str, str, str] | None
    path: str

    @classmethod
    def parse(cls, text: str) -> DatastorePath:
        """The path in `text`.

        Raises:
            ConfigError: it is malformed, or has another scheme.
        """
        match = _FORM.fullmatch(text.strip())
        path = (match["path"] or "").strip("/") if match is not None else ""
        if match is None or _PATH.fullmatch(path) is None or not _stays_inside(path):
            raise ConfigError(
                f"expected a path like azureml://datastores/<name>/paths/<path> or azureml://subscriptions/<id>/"
                f"resourcegroups/<group>/workspaces/<workspace>/datastores/<name>/paths/<path>, got {text!r}: "
                "write it in one of these forms, with letters, digits and . _ - = in the path"
            )
        workspace = (match["subscription"], match["group"], match["workspace"]) if match["subscription"] else None
        return cls(name=match["name"], workspace=workspace, path=path)

    @property
    def key(self) -> str:
        """The name under which the datastore is listed in the settings."""
        return "/".join((*self.workspace, self.name)) if self.workspace else self.name


class Datastores:
    """Finds the container of a datastore.

    Args:
        listed: the setting `datastores`.
        workspace: the setting `workspace`.
        ask: asks Azure ML for the datastore of a path; blocks, and raises `ConfigError` when there is none.
    """

    def __init__(
        self,
        listed: Mapping[str, DatastoreConfig],
        workspace: WorkspaceConfig | None = None,
        ask: Callable[[DatastorePath], DatastoreConfig] | None = None,
    ) -> None:
        self._listed = {key.lower(): datastore for key, datastore in listed.items()}
        self._own = (workspace.subscription_id, workspace.resource_group, workspace.name) if workspace else None
        self._ask = ask
        self._answers: dict[str, DatastoreConfig] = {}

    def find(self, path: DatastorePath, client_id: str | None = None) -> DatastoreConfig:
        """The container of the datastore of `path`, and the credentials that open it.

        Args:
            path: a path in the datastore.
            client_id: identity of the collection; used for a datastore without credentials of its own.

        Raises:
            ConfigError: the datastore is unknown.
        """
        key = path.key.lower()
        datastore = self._listed.get(key) or (self._listed.get(path.name.lower()) if self._is_own(path) else None)
        if datastore is None and self._ask is not None:
            if key not in self._answers:
                self._answers[key] = self._ask(path)
            datastore = self._answers[key]
        if datastore is None:
            known = ", ".join(sorted(self._listed)) or "none"
            raise ConfigError(
                f"expected a known datastore, got {path.key!r} (known: {known}): list it under 'datastores' in the "
                "receiver's configuration, or set the 'workspace' that knows it"
            )
        if client_id is not None and not datastore.chosen:
            return DatastoreConfig(url=datastore.url, identity=IdentityConfig(client_id=client_id))
        return datastore

    def located(self, text: str, access: AccessConfig) -> tuple[str, AccessConfig]:
        """The URL of the folder that a path names, and how it is opened: by `access` if that chooses a way.

        Raises:
            ConfigError: the path is malformed, or the datastore is unknown.
        """
        path = DatastorePath.parse(text)
        datastore = self.find(path)
        return _below(datastore.url, path.path), access if access.chosen else datastore

    def _is_own(self, path: DatastorePath) -> bool:
        return path.workspace is not None and self._own is not None and _same(path.workspace, self._own)


def _below(url: str, path: str) -> str:
    """The URL of a folder in the store at `url`; a query stays at the end."""
    root, mark, query = url.partition("?")
    return f"{root.rstrip('/')}/{path}{mark}{query}" if path else url


def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return [part.lower() for part in one] == [part.lower() for part in other]


def _stays_inside(path: str) -> bool:
    try:
        return not path or bool(checked_name(path))
    except ValueError:
        return False
