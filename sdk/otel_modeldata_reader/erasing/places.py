"""Where the rows of a request may be: the blobs of its collections, parked lines, and the quarantine.

An object may be there twice: in its folder, and where it was parked, if that copy could not be removed. Both are the
same object: what is removed goes with all its copies, or a receiver could deliver it again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from otel_modeldata_receiver.storage.folders.folder_names import MOUNTED
from otel_modeldata_receiver.storage.store import BLOB_SUFFIX

from ..blobs.compacted_name import compacted_name
from ..blobs.listing import CollectionBlobs, collections_of, date_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from otel_modeldata_receiver.storage.store import StoredObject

__all__ = [
    "Place",
    "collections_in_scope",
    "delivered_name",
    "is_in_scope",
    "objects_of",
    "orphans_in",
    "parked_payloads_in",
    "payloads_and_seals_in",
    "places_in",
    "with_parked",
]

_BLOB: Final = re.compile(r"(?:(?P<root>.+?)/)?\d{4}(?:/\d\d){0,4}/[^/]+\.jsonl", re.ASCII)
_BESIDE: Final = re.compile(
    r"_sealed/(?:(?P<sealed>.+?)/)?(?P<hour>\d{4}(?:/\d\d){0,4})/[^/]+"
    r"|(?:(?P<root>.+?)/)?(?P<date>\d{4}(?:/\d\d){0,4})/files/.+",
    re.ASCII,
)
_LAYOUT_PARTS: Final = 3
"""Endpoint, deployment and collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A blob whose lines are looked at.

    Attributes:
        blob: as it was listed.
        root: the folder of its collection, where its lines are or will be delivered.
        folder: where the payloads of its lines are looked for.
        counted: the folder of the collection as it is: that of a copy which Azure ML's reader made has another name.
        source: only lines whose source ends with this; empty for all.
        is_parked: whether its lines wait for their own place.
        is_quarantine: whether it has records that could not become lines.
    """

    blob: StoredObject
    root: str
    folder: str
    counted: str
    source: str = ""
    is_parked: bool = False
    is_quarantine: bool = False

    @property
    def parked_by(self) -> str | None:
        """Who has parked the lines, empty if the name does not say it; None if they are in their folder."""
        from otel_modeldata_receiver.storage.parking.parked_names import parked_blob  # noqa: PLC0415 (a store is open)

        if not self.is_parked:
            return None
        parked = parked_blob(self.blob.name)
        return "" if parked is None else parked.instance


def collections_in_scope(objects: Iterable[StoredObject], scope: str) -> dict[str, CollectionBlobs]:
    """The collections of a deployment or the whole store; of a custom folder it is not known to whom it belongs."""
    deployment = deployment_of(scope)
    return {
        root: one
        for root, one in collections_of(objects).items()
        if not deployment or root == scope or not _is_elsewhere(root, deployment)
    }


def orphans_in(objects: Iterable[StoredObject], scope: str, *, only: bool) -> list[tuple[str, str]]:
    """The files of compacted folders without a manifest, which a compaction or an erasure that was killed has left.

    Nothing reads them: their rows are in lines, or erased.

    Args:
        objects: the listing of the store.
        scope: a collection or a deployment; empty for the whole store.
        only: whether only the collection is looked at.

    Returns:
        The name of each, and the date of its folder.
    """
    files = [(one.name, place) for one in objects if (place := compacted_name(one.name)) is not None]
    vouched = {place.folder for _, place in files if place.number is not None}
    return [
        (name, place.date)
        for name, place in files
        if place.folder not in vouched and is_in_scope(place.root, scope, only=only)
    ]


def payloads_and_seals_in(objects: Iterable[StoredObject]) -> Iterator[tuple[str, str, str]]:
    """The payloads and seals of dated folders, parked ones left out: name, root of the collection, and date."""
    for one in objects:
        match = _BESIDE.fullmatch(one.name)
        if match is None:
            continue
        if match["hour"] is not None:
            yield one.name, match["sealed"] or "", match["hour"]
        elif not (root := match["root"] or "").startswith("_") or root == "_quarantine":
            yield one.name, root, match["date"]


def parked_payloads_in(objects: Iterable[StoredObject]) -> Iterator[tuple[str, str, str]]:
    """The parked payloads of dated folders: name, root of the collection that they are delivered to, and date."""
    for one in objects:
        delivered = delivered_name(one.name)
        match = None if delivered == one.name else _BESIDE.fullmatch(delivered)
        if match is not None and match["date"] is not None:
            yield one.name, match["root"] or "", match["date"]


def with_parked(
    collections: Mapping[str, CollectionBlobs], objects: Iterable[StoredObject], scope: str
) -> dict[str, CollectionBlobs]:
    """Collections with the blobs of their lines that are parked, as if they were delivered.

    Those of which all lines are parked are among them, such as the ones for a datastore.

    Args:
        collections: of the scope, as they are delivered.
        objects: the listing of the store.
        scope: a collection or a deployment; empty for the whole store.
    """
    from otel_modeldata_receiver.storage.parking.parked_names import PARKED  # noqa: PLC0415 (a store is open)

    parked: dict[str, list[StoredObject]] = {}
    for one in objects:
        match = _BLOB.fullmatch(one.name.removeprefix(f"{PARKED}/")) if one.name.startswith(f"{PARKED}/") else None
        if match is not None:
            parked.setdefault(match["root"] or "", []).append(one)
    found = dict(collections)
    for root, blobs in parked.items():
        known = found.get(root)
        if known is None and is_in_scope(root, scope, only=False):
            known = CollectionBlobs(root=root, blobs=(), objects={})
        if known is not None:
            every = sorted((*known.blobs, *blobs), key=lambda one: (date_of(one.name), one.name))
            found[root] = replace(known, blobs=tuple(every))
    return found


def deployment_of(scope: str) -> str:
    """The deployment of a collection, or of itself; empty if the scope is the whole store or a custom folder."""
    parts = [] if is_mounted(scope) else scope.split("/")
    return "/".join(parts[:2]) if len(parts) in {2, _LAYOUT_PARTS} and all(parts) else ""


def places_in(objects: Iterable[StoredObject], scope: str, *, only: bool, with_empty: bool = False) -> Iterator[Place]:
    """The blobs of a scope, copies that Azure ML's reader made included.

    Args:
        objects: the listing of the store.
        scope: a collection or a deployment; empty for the whole store.
        only: whether only the collection is looked at, and the copies and parked lines of it.
        with_empty: whether blobs without a line are places, too.
    """
    from otel_modeldata_receiver.layout.partition import QUARANTINE, SHADOW_SUFFIX  # noqa: PLC0415 (a store is open)
    from otel_modeldata_receiver.storage.parking.parked_names import PARKED  # noqa: PLC0415 (likewise)

    deployment = "" if only else deployment_of(scope)
    for one in objects:
        name = one.name.removeprefix(f"{PARKED}/")
        match = _BLOB.fullmatch(name)
        if match is None or not (one.size or with_empty):
            continue
        counted = match["root"] or ""
        root = counted.removesuffix(SHADOW_SUFFIX)
        is_parked = name != one.name
        # A copy that Azure ML's reader made refers to the payloads of its original.
        folder = f"{root}{name[len(counted) :]}".rpartition("/")[0]
        if root == QUARANTINE:
            yield Place(blob=one, root=root, folder=folder, counted=counted, is_parked=is_parked, is_quarantine=True)
        elif (root.startswith("_") and not (is_parked and is_mounted(root))) or (only and root != scope):
            continue
        elif not deployment or root.startswith(f"{deployment}/"):
            yield Place(blob=one, root=root, folder=folder, counted=counted, is_parked=is_parked)
        elif not _has_layout(root):
            endpoint, _, name = deployment.lower().partition("/")
            source = f"endpoints/{endpoint}/deployments/{name}"
            yield Place(blob=one, root=root, folder=folder, counted=counted, source=source, is_parked=is_parked)


def objects_of(objects: Iterable[StoredObject]) -> dict[str, tuple[str, int]]:
    """What lines may refer to: the name and the size of each object, by the name that it has when it is delivered.

    Of one that is there twice it is the delivered copy: the parked one may be empty, where it could not be removed.
    """
    delivered: dict[str, tuple[str, int]] = {}
    parked: dict[str, tuple[str, int]] = {}
    for one in objects:
        if not one.name.endswith(BLOB_SUFFIX):
            name = delivered_name(one.name)
            if name == one.name:
                delivered[name] = (one.name, one.size)
            elif one.size:
                parked.setdefault(name, (one.name, one.size))
    return parked | delivered


def delivered_name(name: str) -> str:
    """The name that a parked object has when it is delivered; others keep theirs."""
    from otel_modeldata_receiver.storage.parking.parked_names import (  # noqa: PLC0415 (a store is open)
        is_parked,
        unparked_object,
    )

    unparked = unparked_object(name) if is_parked(name) else None
    return name if unparked is None else unparked[0]


def is_in_scope(root: str, scope: str, *, only: bool) -> bool:
    """Whether a collection is in a scope; of a custom folder it is not known to whom it belongs.

    Args:
        root: the folder of the collection.
        scope: a collection or a deployment; empty for the whole store.
        only: whether only the collection is looked at.
    """
    deployment = deployment_of(scope)
    return root == scope or not (only or (deployment and _is_elsewhere(root, deployment)))


def is_mounted(root: str) -> bool:
    """Whether this is the folder of a collection in a datastore; its parked lines are in the receiver's own store."""
    return root.startswith(f"{MOUNTED}/")


def _is_elsewhere(root: str, deployment: str) -> bool:
    """Whether a collection is one of another deployment."""
    return _has_layout(root) and not root.startswith(f"{deployment}/")


def _has_layout(root: str) -> bool:
    return root.count("/") == _LAYOUT_PARTS - 1 and not is_mounted(root)
