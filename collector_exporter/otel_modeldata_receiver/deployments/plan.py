"""Makes a plan from deployment files and datastores: where each collection is stored, and which stores that needs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_modeldata import semconv
from otel_modeldata.validation.problems import Problem

from ..exceptions import ConfigError
from ..layout.destination import CollectionPlan, DeploymentPlan
from ..layout.partition import RollingRate
from ..storage.mounts import mounted_path
from .datastores import DatastorePath

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from otel_modeldata.config import Collection, CollectorConfig, DataAsset

    from ..config.store_access import DatastoreConfig
    from ..layout.destination import Plans
    from .datastores import Datastores

__all__ = ["Plan", "datastore_of_mount", "make_plan"]

logger = logging.getLogger(__name__)

_KEY_SEPARATOR: Final = ":"
_WORKSPACE_PARTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where the data of the deployments in the files is stored.

    Attributes:
        deployments: by endpoint and deployment.
        mounts: the datastores that are needed, by the name under which each is mounted.
    """

    deployments: Plans
    mounts: Mapping[str, DatastoreConfig]


@dataclass(frozen=True, slots=True)
class _Root:
    """The folder of a collection in a datastore, and that datastore."""

    folder: str
    mount: str
    datastore: DatastoreConfig


def make_plan(configs: Sequence[CollectorConfig], datastores: Datastores) -> Plan:
    """The plan for the deployments in `configs`.

    Raises:
        ConfigError: a path is malformed, a datastore unknown or the name of an asset invalid; lists all problems.
    """
    deployments: dict[tuple[str, str], DeploymentPlan] = {}
    mounts: dict[str, DatastoreConfig] = {}
    problems: list[Problem] = []
    for config in configs:
        collections = {}
        for name, collection in (config.collections or {}).items():
            try:
                root = _root(collection, datastores)
            except ConfigError as error:
                problems += [Problem(_key(config, name, one.path), one.message) for one in error.problems]
                continue
            collections[name] = _collection_plan(collection, root)
            if root is not None:
                mounts[root.mount] = root.datastore
        rate = RollingRate.parse(config.rolling_rate or "")
        key = (str(config.endpoint).lower(), str(config.deployment).lower())
        deployments[key] = DeploymentPlan(rolling_rate=rate, collections=collections)
    if problems:
        raise ConfigError(*problems)
    _warn_of_shared_folders(deployments)
    return Plan(deployments=deployments, mounts=mounts)


def _key(config: CollectorConfig, collection: str, key: str) -> str:
    """A key below `data` of a collection, with the deployment that it belongs to."""
    return f"{config.endpoint}/{config.deployment}: collections.{collection}.data.{key}"


def _root(collection: Collection, datastores: Datastores) -> _Root | None:
    """Where a collection is stored, if its file names a path; the problems of errors have paths below `data`."""
    data = collection.data
    if data is None:
        return None
    if problems := tuple(_name_problems(data)):
        raise ConfigError(*problems)
    if data.path is None:
        return None
    try:
        path = DatastorePath.parse(data.path)
        datastore = datastores.find(path, collection.client_id)
    except ConfigError as error:
        raise ConfigError(*(Problem("path", one.message) for one in error.problems)) from None
    mount = _mount_name(path, datastore)
    return _Root(mounted_path(mount, path.path), mount, datastore)


def _name_problems(data: DataAsset) -> Iterator[Problem]:
    for key, text in (("name", data.name), ("version", data.version)):
        if text is not None and not semconv.is_name(text):
            yield Problem(key, f"expected {semconv.NAME_RULE}, got {text!r}; choose another")


def _collection_plan(collection: Collection, root: _Root | None) -> CollectionPlan:
    rate = RollingRate.parse(collection.rolling_rate or "")
    data = collection.data
    if data is None:
        return CollectionPlan(rolling_rate=rate)
    return CollectionPlan(
        root=None if root is None else root.folder,
        path=data.path,
        rolling_rate=rate,
        asset_name=data.name,
        asset_version=data.version,
    )


def _mount_name(path: DatastorePath, datastore: DatastoreConfig) -> str:
    """The name under which a datastore is mounted: its own, with the identity that opens it, if one is chosen."""
    name = path.key.replace("/", _KEY_SEPARATOR).lower()
    return name if datastore.identity is None else f"{name}@{datastore.identity.client_id}"


def datastore_of_mount(mount: str, datastores: Datastores) -> DatastoreConfig:
    """The datastore that was mounted under this name, with the credentials that it has now.

    Raises:
        ConfigError: it is unknown.
    """
    key, _, client_id = mount.partition("@")
    *workspace, name = key.split(_KEY_SEPARATOR)
    parts = (workspace[0], workspace[1], workspace[2]) if len(workspace) == _WORKSPACE_PARTS else None
    return datastores.find(DatastorePath(name=name, workspace=parts, path=""), client_id or None)


def _warn_of_shared_folders(plans: Plans) -> None:
    """Log the folders of several collections, whose rows Azure ML merges into one table, and of several deployments.

    In one folder an event whose id is stored already is a copy, whoever sent it.
    """
    users: dict[str, set[str]] = {}
    deployments: dict[str, set[str]] = {}
    for tenant, plan in plans.items():
        for name, collection in plan.collections.items():
            if collection.root is not None and collection.path is not None:
                users.setdefault(collection.path, set()).add(name)
                deployments.setdefault(collection.path, set()).add("/".join(tenant))
    for path, names in users.items():
        if len(names) > 1:
            logger.warning(
                "%s takes the collections %s: Azure ML reads them as one table, give each a path of its own",
                path,
                ", ".join(sorted(names)),
            )
        if len(deployments[path]) > 1:
            logger.warning(
                "%s takes events of the deployments %s: an event with an id of another one is not stored, give each a "
                "path of its own",
                path,
                ", ".join(sorted(deployments[path])),
            )
