"""Where the lines of a collection go, how their folders are cut and under which name they are registered.

The names come from clients, so they choose nothing here beyond the standard layout: a place of its own, another rate
and another asset name are given to a collection by the operator's deployment files alone (`deployments/files.py`).

This is asked for every record: what is known about a deployment is one dictionary, and a new collection of it is
decided once.
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
"""Deployments, and collections of each, that are remembered: names come from clients and are not to pile up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPlan:
    """What a deployment file says of one collection; None leaves it to the default.

    Attributes:
        root: the collection's folder as the store takes it, when `data.path` names one.
        path: that `data.path`, `azureml://datastores/...`.
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
    """What a deployment file says: the rate of the deployment, and its collections by lower-case name."""

    rolling_rate: RollingRate | None = None
    collections: Mapping[str, CollectionPlan] = field(default_factory=dict)


Plans: TypeAlias = Mapping[tuple[str, str], DeploymentPlan]
"""Plans by endpoint and deployment, both in lower case: Azure's names are the same in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What a collection's lines need to know.

    Attributes:
        endpoint: whose it is; checked name, as are `deployment` and `collection`.
        deployment: see `endpoint`.
        collection: see `endpoint`.
        root: its folder in the store, `{endpoint}/{deployment}/{collection}` unless the operator chose another.
        rolling_rate: how folders below it are cut.
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
    """Knows the destination of every collection.

    Args:
        rolling_rate: the receiver's own setting, which wins over every other.
        plans: what the deployment files say.

    Attributes:
        on_new: told of each destination when it is decided on, again after `replace`.
    """

    def __init__(self, rolling_rate: RollingRate | None = None, plans: Plans | None = None) -> None:
        self._rolling_rate = rolling_rate
        self._plans: Plans = plans or {}
        self.on_new: Callable[[Destination], None] | None = None
        self._known: dict[tuple[str, str, RollingRate | None], _Collections] = {}

    def replace(self, plans: Plans) -> None:
        """Go by other `plans` from the next request on."""
        self._plans = plans
        self._known = {}

    def of(self, endpoint: str, deployment: str, collection: str, asked: RollingRate | None = None) -> Destination:
        """The destination of one collection; see `of_deployment`."""
        return self.of_deployment(endpoint, deployment, asked)[collection]

    def of_deployment(self, endpoint: str, deployment: str, asked: RollingRate | None) -> Mapping[str, Destination]:
        """Destinations by collection name; every checked name is a key.

        Args:
            endpoint: a name that passed `semconv.is_name`, as did `deployment` and the names of collections.
            deployment: see `endpoint`.
            asked: the rate that the sender's resource asks for, if any.
        """
        key = (endpoint, deployment, asked)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = _Collections(self, key)
        return known

    def decide(self, endpoint: str, deployment: str, collection: str, asked: RollingRate | None) -> Destination:
        """The same as `of`, without a look at what is known.

        The receiver's own rate wins, then the deployment file, then what the sender asks for, then Hour.
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
        if self.on_new is not None:
            self.on_new(destination)
        return destination


_NO_PLAN: Final = DeploymentPlan()
_NO_COLLECTION_PLAN: Final = CollectionPlan()


class _Collections(dict[str, Destination]):
    """The destinations of one deployment by collection, decided when first asked for."""

    __slots__ = ("_destinations", "_origin")

    def __init__(self, destinations: Destinations, origin: tuple[str, str, RollingRate | None]) -> None:
        super().__init__()
        self._destinations = destinations
        self._origin = origin

    def __missing__(self, collection: str) -> Destination:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        endpoint, deployment, asked = self._origin
        found = self[collection] = self._destinations.decide(endpoint, deployment, collection, asked)
        return found
