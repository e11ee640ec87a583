"""Deployment files and datastores become a plan: where each collection goes, and which stores that takes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_modeldata import semconv
from otel_modeldata.problems import Problem

from ..exceptions import ConfigError
from ..layout.destination import CollectionPlan, DeploymentPlan
from ..layout.partition import RollingRate
from ..storage.mounts import mounted
from .datastores import DatastorePath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata.config import Collection, CollectorConfig

    from ..config.store_access import DatastoreConfig
    from ..layout.destination import Plans
    from .datastores import Datastores

__all__ = ["Plan", "make"]

logger = logging.getLogger(__name__)

_KEY_SEPARATOR: Final = ":"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done with the data of the deployments that files speak of.

    Attributes:
        deployments: by endpoint and deployment.
        mounts: the datastores that it takes, by the name to mount them as.
    """

    deployments: Plans
    mounts: dict[str, DatastoreConfig]


def make(configs: Sequence[CollectorConfig], datastores: Datastores) -> Plan:
    """The plan of the deployments in `configs`.

    Raises:
        ConfigError: a path is malformed, a datastore unknown or an asset's name impossible; it lists all problems.
    """
    plans: dict[tuple[str, str], DeploymentPlan] = {}
    mounts: dict[str, DatastoreConfig] = {}
    problems: list[Problem] = []
    for config in configs:
        collections = {}
        for name, collection in (config.collections or {}).items():
            try:
                collections[name] = _collection(collection, datastores, mounts)
            except ConfigError as error:
                where = f"{config.endpoint}/{config.deployment}"
                problems.extend(Problem(f"collections.{name}.data", str(problem), where) for problem in error.problems)
        rate = RollingRate.parse(config.rolling_rate or "")
        key = (str(config.endpoint).lower(), str(config.deployment).lower())
        plans[key] = DeploymentPlan(rolling_rate=rate, collections=collections)
    if problems:
        raise ConfigError(*problems)
    _warn_of_shared_folders(plans)
    return Plan(deployments=plans, mounts=mounts)


def _collection(collection: Collection, datastores: Datastores, mounts: dict[str, DatastoreConfig]) -> CollectionPlan:
    rate = RollingRate.parse(collection.rolling_rate or "")
    data = collection.data
    if data is None:
        return CollectionPlan(rolling_rate=rate)
    for key, text in (("name", data.name), ("version", data.version)):
        if text is not None and not semconv.is_name(text):
            raise ConfigError(f"{key}: expected {semconv.NAME_RULE}, got {text!r}; choose another")
    root = None
    if data.path is not None:
        path = DatastorePath.parse(data.path)
        datastore = datastores.find(path, collection.client_id)
        root = mounted(_mount(path, datastore, mounts), path.path)
    return CollectionPlan(
        root=root, path=data.path, rolling_rate=rate, asset_name=data.name, asset_version=data.version
    )


def _mount(path: DatastorePath, datastore: DatastoreConfig, mounts: dict[str, DatastoreConfig]) -> str:
    """The name to mount `datastore` as: its own, and its identity where several are used."""
    name = path.key.replace("/", _KEY_SEPARATOR).lower()
    if datastore.identity is not None:
        name += f"@{datastore.identity.client_id}"
    mounts[name] = datastore
    return name


def _warn_of_shared_folders(plans: Plans) -> None:
    """Say which folders take more than one collection: Azure ML merges their rows into one table."""
    users: dict[str, set[str]] = {}
    for plan in plans.values():
        for name, collection in plan.collections.items():
            if collection.root is not None and collection.path is not None:
                users.setdefault(collection.path, set()).add(name)
    for path, names in users.items():
        if len(names) > 1:
            logger.warning(
                "%s takes the collections %s: Azure ML reads them as one table, give each a path of its own",
                path,
                ", ".join(sorted(names)),
            )
