"""Lines that wait because their own place takes none: those of what is asked for, and a word about others.

A folder of the layout says of which deployment its lines are. In one that the operator chose, such as that of a
datastore, the source of each line says it, as for `audit` and `erase`.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata import semconv
from otel_modeldata.validation.folder_access import obstacle
from otel_modeldata_receiver.layout.blob_path import parse_blob_path, tenant_of
from otel_modeldata_receiver.storage.mounts import mount_of
from otel_modeldata_receiver.storage.parking.parked_names import PARKED, parked_blob, place_of, read_mark

from ..blobs.newest_blobs import lines_of, newest, pieces_of
from .finding import Finding, stops
from .folder_listing import walk_below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .finding import Outcome
    from .scope import Scope

__all__ = ["parked"]

MOST_BYTES: Final = 64 << 20
"""Of parked lines that are read."""
_MOST_PLACES: Final = 5
_MOST_OTHERS: Final = 1000
_SHOWN_OTHERS: Final = 3
_SHOWN_CHARS: Final = 200


class _Keys(msgspec.Struct, frozen=True):
    source: str
    type: str


_decode: Final = msgspec.json.Decoder(_Keys).decode


@dataclass(slots=True)
class _Waiting:
    """Parked blobs: of what is asked for, of a folder that does not say of which deployment, and of other deployments.

    Attributes:
        ours: blobs of which every line is asked for.
        mixed: blobs of which some lines may be.
        others: names of deployments that have parked lines, too.
    """

    ours: list[StoredObject] = field(default_factory=list)
    mixed: list[StoredObject] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    def add_other(self, tenant: str) -> None:
        """Note another deployment."""
        if tenant and len(self.others) < _MOST_OTHERS:
            self.others.add(tenant[:_SHOWN_CHARS])


def parked(store: StoreAccess, scope: Scope, *, has_data: bool) -> Iterator[Finding]:
    """Lines of what is asked for that wait for their place.

    Args:
        store: its parked lines are read, at most `MOST_BYTES` of them.
        scope: what is asked for.
        has_data: whether lines of it are in the window.

    Raises:
        StoreUnavailableError: they cannot be read.
    """
    waiting = _waiting(store, scope)
    ranges, left = newest(waiting.ours, MOST_BYTES)
    ours, unknown = Counter[str](), Counter[str]()
    for piece in pieces_of(store, ranges):
        ours[_folder(piece.blob)] += piece.content.count(b"\n")
    room = MOST_BYTES - sum(one.end - one.start for one in ranges)
    ranges, left_of_mixed = newest(waiting.mixed, room)
    for blob, raw in lines_of(store, ranges):
        if (names := _names(raw)) is None:
            continue
        is_ours = scope.names(*names)
        if is_ours is not False:
            (ours if is_ours else unknown)[_folder(blob)] += 1
        else:
            waiting.add_other(names[0])
    at_least = "at least " if left or left_of_mixed else ""
    outcome = stops(has_data=has_data)
    for place, (folder, lines) in _by_place(ours).items():
        sentence = (
            f"{at_least}{lines:,} line(s) are parked in {PARKED}/, because the place of {place} takes "
            f"none{_reason(scope, folder)}: nothing is lost; repair the place, and the receiver that parked them "
            "delivers them while it runs"
        )
        is_audited = not scope.covers(folder) or bool(parse_blob_path(f"{folder}/x").endpoint)
        run = scope.audit if is_audited else scope.whole_audit
        yield _finding("parked", outcome, sentence, run)
    for place, (_, lines) in _by_place(unknown).items():
        sentence = (
            f"{at_least}{lines:,} line(s) in {PARKED}/ wait for {place} and do not say of which deployment or "
            f"collection they are, so they may be of {scope.shown}"
        )
        yield _finding("parked_without_name", "suspect", sentence, scope.whole_audit)
    if left_of_mixed and not ours and not unknown:
        sentence = (
            f"lines of {scope.shown} may be parked: of those that wait for folders that an operator chose, "
            f"{(MOST_BYTES + left_of_mixed) >> 20} MiB, only the newest were read"
        )
        yield _finding("parked_not_checked", "not checked", sentence, scope.audit)
    elif not ours and not unknown:
        what = f" of {scope.shown}" if scope.name else ""
        yield _finding("nothing_parked", "ok", f"no line{what} waits for its place{_shown(waiting.others)}")


def _finding(cause: str, outcome: Outcome, sentence: str, *run: str) -> Finding:
    return Finding(cause=cause, step="parked", outcome=outcome, sentence=sentence, run=run)


def _waiting(store: StoreAccess, scope: Scope) -> _Waiting:
    """What is parked, without what is delivered and could not be removed, and without records of the quarantine."""
    found = _Waiting()
    objects = walk_below(store, PARKED)
    delivered = {(mark.blob, mark.size) for one in objects if (mark := read_mark(one.name)) is not None}
    for one in objects:
        blob = parked_blob(one.name)
        if blob is None or not one.size or (one.name, one.size) in delivered or blob.folder.startswith("_quarantine"):
            continue
        path = parse_blob_path(f"{blob.folder}/x")
        tenant = f"{path.endpoint}/{path.deployment}" if path.endpoint else ""
        if scope.covers(blob.folder) or (tenant and scope.names(tenant, path.collection)):
            found.ours.append(one)
        elif tenant:
            found.add_other(tenant)
        elif not scope.is_custom:
            found.mixed.append(one)
    return found


def _folder(blob: str) -> str:
    found = parked_blob(blob)
    return "" if found is None else found.folder


def _names(raw: bytes) -> tuple[str, str] | None:
    """Deployment and collection of a line, as far as it says them; None for the end of a line, and a damaged one."""
    try:
        keys = _decode(raw)
    except (ValueError, RecursionError):
        return None
    return "/".join(tenant_of(keys.source) or ()), keys.type.removeprefix(semconv.EVENT_TYPE_PREFIX)


def _by_place(folders: Counter[str]) -> dict[str, tuple[str, int]]:
    """A folder and the number of the lines of each place, the most lines first; the rest together, without a folder."""
    counts, first = Counter[str](), dict[str, str]()
    for folder, lines in folders.items():
        place = place_of(folder)
        counts[place] += lines
        first.setdefault(place, folder)
    places = counts.most_common()
    found = {place: (first[place], lines) for place, lines in places[:_MOST_PLACES]}
    if rest := places[_MOST_PLACES:]:
        found[f"{len(rest):,} further places"] = "", sum(lines for _, lines in rest)
    return found


def _shown(others: set[str]) -> str:
    """Whose lines wait, in a few words."""
    if not others:
        return ""
    names = sorted(others)
    more = f" and {len(names) - _SHOWN_OTHERS:,} more" if len(names) > _SHOWN_OTHERS else ""
    return f"; others do, of {', '.join(names[:_SHOWN_OTHERS])}{more}"


def _reason(scope: Scope, folder: str) -> str:
    """What prevents writing to a folder of this machine, if it can be seen from here."""
    from otel_modeldata_receiver.config.store_url import is_azure, meant_store  # noqa: PLC0415 (a store is open already)

    meant = meant_store(scope.url)
    if not folder or is_azure(meant) or mount_of(folder) is not None:
        return ""
    path = Path(meant).absolute() / folder
    there = next(one for one in (path, *path.parents) if os.path.exists(one))  # noqa: PTH110 (Path.exists may raise)
    wrong = obstacle(there)
    return f" (expected a folder to write to, got {wrong} at {str(there)[:200]!r})" if wrong else ""
