"""The destination of a collection: its folder, its rolling rate and the name of its data asset.

Clients choose the names, so a name selects only a folder of the standard layout. Only the operator's deployment
files give a collection a folder of its own, another rate or another asset name (`deployments/files.py`).

A destination is looked up for every record. So the destinations of a deployment are one dictionary, and each is
computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from . import partition
from .partition import RollingRate

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEFAULT_ASSET_VERSION", "CollectionPlan", "DeploymentPlan", "Destination", "Destinations", "Plans"]

DEFAULT_ASSET_VERSION: Final = "1"
_MOST_KNOWN: Final = 1024
"""Limit for remembered deployments, and for remembered collections of each, because clients choose the names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPlan:
    """The settings of one collection in a deployment file; None means the default.

    Attributes:
        root: the folder of the collection as a name in the store, if the file has a `data.path`.
        path: `data.path`, `azureml://datastores/...`.
        rolling_rate: of this collection.
        asset_name: `data.name`.
        asset_version: `data.version`.
    """

    root: str | None = None
    path: str | None = None
    rolling_rate: RollingRate | None = None
    asset_name: str | None = None
    asset_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPlan:
    """The settings in a deployment file: the rate of the deployment, and its collections by lower-case name."""

    rolling_rate: RollingRate | None = None
    collections: Mapping[str, CollectionPlan] = field(default_factory=dict)


Plans: TypeAlias = Mapping[tuple[str, str], DeploymentPlan]
"""Plans by endpoint and deployment, both in lower case: Azure's names are the same in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where and how the lines of a collection are stored.

    Attributes:
        endpoint: endpoint of the collection; a checked name, as are `deployment` and `collection`.
        deployment: its deployment.
        collection: its name.
        root: its folder in the store, `{endpoint}/{deployment}/{collection}` unless the operator chose another.
        rolling_rate: how long one folder below `root` collects events.
        asset_name: the data asset's name, `{endpoint}-{deployment}-{collection}` unless chosen.
        asset_version: its version, "1" unless chosen.
        path: the `azureml://` path of `root`, when the operator chose it.
    """

    endpoint: str
    deployment: str
    collection: str
    root: str
    rolling_rate: RollingRate
    asset_name: str
    asset_version: str
    path: str | None = None


class Destinations:
    """The destinations of all collections.

    Args:
        rolling_rate: the receiver's own setting, which wins over every other.
        plans: the settings in the deployment files.
        on_new: called with each destination when it is used first, and again after `replace`.
    """

    def __init__(
        self,
        rolling_rate: RollingRate | None = None,
        plans: Plans | None = None,
        *,
        on_new: Callable[[Destination], None] | None = None,
    ) -> None:
        self._rolling_rate = rolling_rate
        self._plans: Plans = plans or {}
        self._on_new = on_new
        self._known: dict[tuple[str, str, RollingRate | None], _Collections] = {}

    @property
    def settings(self) -> tuple[RollingRate | None, Plans]:
        """What the destinations follow from: the first two arguments."""
        return self._rolling_rate, self._plans

    def replace(self, plans: Plans) -> None:
        """Use other `plans` from the next request on."""
        self._plans = plans
        self._known = {}

    def of(self, endpoint: str, deployment: str, collection: str, asked: RollingRate | None = None) -> Destination:
        """The destination of one collection; see `of_deployment`."""
        return self.of_deployment(endpoint, deployment, asked)[collection]

    def of_deployment(self, endpoint: str, deployment: str, asked: RollingRate | None) -> Mapping[str, Destination]:
        """The destinations of a deployment by collection; every checked name is a key.

        Args:
            endpoint: a name that passed `semconv.is_name`, as did `deployment` and the names of collections.
            deployment: its deployment.
            asked: the rate in the sender's resource, if any.
        """
        key = (endpoint, deployment, asked)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = _Collections(self, key)
        return known

    def compute(self, endpoint: str, deployment: str, collection: str, asked: RollingRate | None) -> Destination:
        """The same as `of`, without the cache.

        The receiver's own rate wins, then that of the deployment file, then that of the sender, then Hour.
        """
        deployment_plan = self._plans.get((endpoint.lower(), deployment.lower()), _NO_PLAN)
        plan = deployment_plan.collections.get(collection.lower(), _NO_COLLECTION_PLAN)
        rate = self._rolling_rate or plan.rolling_rate or deployment_plan.rolling_rate or asked or RollingRate.HOUR
        partition.warn_unless_hour(rate)
        destination = Destination(
            endpoint=endpoint,
            deployment=deployment,
            collection=collection,
            root=plan.root or f"{endpoint}/{deployment}/{collection}",
            rolling_rate=rate,
            asset_name=plan.asset_name or f"{endpoint}-{deployment}-{collection}",
            asset_version=plan.asset_version or DEFAULT_ASSET_VERSION,
            path=plan.path,
        )
        if self._on_new is not None:
            self._on_new(destination)
        return destination


_NO_PLAN: Final = DeploymentPlan()
_NO_COLLECTION_PLAN: Final = CollectionPlan()


class _Collections(dict[str, Destination]):
    """The destinations of one deployment by collection; each is computed when it is used first."""

    __slots__ = ("_destinations", "_key")

    def __init__(self, destinations: Destinations, key: tuple[str, str, RollingRate | None]) -> None:
        super().__init__()
        self._destinations = destinations
        self._key = key

    def __missing__(self, collection: str) -> Destination:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        endpoint, deployment, asked = self._key
        destination = self[collection] = self._destinations.compute(endpoint, deployment, collection, asked)
        return destination
