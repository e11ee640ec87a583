"""Azure ML's paths: `azureml://datastores/<name>/paths/<path>`, the long form with its workspace, and what they mean.

A datastore's name stands for a container. The receiver's setting `datastores` says which; what it does not list is
asked of Azure ML itself when the setting `workspace` allows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..config.store_access import DatastoreConfig, IdentityConfig
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
"""What needs no escape in a URL: readers take the path of `dataref` for the blob's name as it is."""


def is_datastore_path(text: str) -> bool:
    """Whether `text` is meant as a path of Azure ML."""
    return text.lower().startswith("azureml:")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastorePath:
    """A folder of a datastore.

    Attributes:
        name: the datastore's name.
        workspace: subscription, resource group and workspace, in the long form only.
        path: the folder, without slashes at its ends; empty for all of it.
    """

    name: str
    workspace: tuple[str, str, str] | None
    path: str

    @classmethod
    def parse(cls, text: str) -> DatastorePath:
        """The path that `text` writes.

        Raises:
            ConfigError: it is malformed, or has another scheme.
        """
        found = _FORM.fullmatch(text.strip())
        path = (found["path"] or "").strip("/") if found is not None else ""
        if found is None or _PATH.fullmatch(path) is None or not _stays_inside(path):
            raise ConfigError(
                f"expected a path like azureml://datastores/<name>/paths/<path> or azureml://subscriptions/<id>/"
                f"resourcegroups/<group>/workspaces/<workspace>/datastores/<name>/paths/<path>, got {text!r}: "
                "write it so, with letters, digits and . _ - = in the path"
            )
        workspace = (found["subscription"], found["group"], found["workspace"]) if found["subscription"] else None
        return cls(name=found["name"], workspace=workspace, path=path)

    @property
    def key(self) -> str:
        """The name under which the datastore is listed in the settings."""
        return "/".join((*self.workspace, self.name)) if self.workspace else self.name


class Datastores:
    """Finds the container of a datastore.

    Args:
        listed: the setting `datastores`.
        workspace: the setting `workspace`.
        ask: asks Azure ML for the datastore of a path; it blocks, and raises ConfigError when there is none.
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
        """The container that the datastore of `path` stands for, and how it is opened.

        Args:
            path: in this datastore.
            client_id: identity of the collection, for a datastore that does not say how it is opened.

        Raises:
            ConfigError: nobody knows such a datastore.
        """
        key = path.key.lower()
        found = self._listed.get(key) or (self._listed.get(path.name.lower()) if self._is_own(path) else None)
        if found is None and self._ask is not None:
            if key not in self._answers:
                self._answers[key] = self._ask(path)
            found = self._answers[key]
        if found is None:
            known = ", ".join(sorted(self._listed)) or "none"
            raise ConfigError(
                f"expected a known datastore, got {path.key!r} (known: {known}): list it under 'datastores' in the "
                "receiver's configuration, or name the 'workspace' to be asked for it"
            )
        if client_id is not None and not found.chosen:
            return DatastoreConfig(url=found.url, identity=IdentityConfig(client_id=client_id))
        return found

    def _is_own(self, path: DatastorePath) -> bool:
        return path.workspace is not None and self._own is not None and _same(path.workspace, self._own)


def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return [part.lower() for part in one] == [part.lower() for part in other]


def _stays_inside(path: str) -> bool:
    try:
        return not path or bool(checked_name(path))
    except ValueError:
        return False
