"""What the listing of a store says about missing data: names, times, rates and copies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from otel_modeldata_receiver.layout.canary_collection import CANARY_COLLECTION
from otel_modeldata_receiver.layout.partition import QUARANTINE, SHADOW_SUFFIX
from otel_modeldata_receiver.storage.parking.parked_names import PARKED

from ..blobs.compacted_name import compacted_root
from ..blobs.listing import collections_of
from ..exceptions import StoreUnavailableError
from ..nearest import misspelled, nearest
from .finding import Finding, stops
from .folder_listing import walk_below
from .scope import Scope, shown_time
from .seen import NANOSECONDS, seen
from .unreadable_lines import about_lines, unreadable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .finding import Outcome
    from .seen import Seen

__all__ = ["Stored", "listed_findings", "stored"]

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a store has of what is asked for.

    Attributes:
        seen: its collections.
        findings: what their listing says.
    """

    seen: Sequence[Seen]
    findings: tuple[Finding, ...]

    @property
    def has_data(self) -> bool:
        """Whether one of them may have lines of the window."""
        return any(one.has_data for one in self.seen)

    @property
    def written(self) -> int | None:
        """When a line of it was last written, in nanoseconds since the epoch; None if it has none, or no such time."""
        return max((one.written for one in self.seen if one.written is not None), default=None)


def stored(store: StoreAccess, scope: Scope) -> Stored:
    """List what is asked for, and say what is wrong with it.

    Test events of `otel-modeldata doctor` are no data, unless their collection is asked for.

    Raises:
        StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
    """
    try:
        found = collections_of(_objects_of(store, scope.name))
    except StoreUnavailableError as error:
        store.walk()  # raises, unless only this folder cannot be read
        finding = Finding(cause="folder_unreadable", step="store", outcome="stopped", sentence=str(error))
        return Stored(seen=(), findings=(finding,))
    collections = [
        seen(one, scope)
        for one in found.values()
        if scope.covers(one.root) and (scope.collection or not _is_of_tests(one.root))
    ]
    with_lines = [one for one in collections if one.first]
    if not with_lines:
        everything = store.walk()
        return Stored(seen=(), findings=(_absent(everything, scope, is_created=bool(collections)),))
    unread = [*unreadable_lines(store, scope, [found[one.root] for one in with_lines if one.has_data])]
    empty = {one.root for one in unread if one.is_all}
    with_lines = [replace(one, has_data=False) if one.root in empty else one for one in with_lines]
    unknown = {one.root for one in unread}
    is_some = any(one.has_data and one.root not in unknown for one in with_lines)
    return Stored(
        seen=with_lines,
        findings=(
            *about_lines(unread, has_data=is_some),
            *_times([one for one in with_lines if one.root not in unknown], scope),
            *_rates(with_lines, scope),
            *_copies(store, scope),
        ),
    )


def listed_findings(collections: Sequence[Seen], scope: Scope) -> Iterator[Finding]:
    """What the names, sizes and times of blobs say is wrong; nothing is read."""
    yield from _times(collections, scope)
    yield from _rates(collections, scope)


def _objects_of(store: StoreAccess, name: str) -> list[StoredObject]:
    """What is below a folder, and its compacted folders; the whole store for an empty name."""
    return [*walk_below(store, name), *(walk_below(store, compacted_root(name)) if name else ())]


def _absent(everything: Sequence[StoredObject], scope: Scope, *, is_created: bool) -> Finding:
    """Why nothing of what is asked for is there."""
    listed = collections_of(everything).items()
    known = [root for root, one in listed if one.compacted or any(blob.size for blob in one.blobs)]
    if is_created:
        sentence = (
            f"expected lines of {scope.shown} in {scope.store}, got blobs without any: a receiver began them, and its "
            "first append failed or is under way; look at its log"
        )
        return Finding(cause="no_lines", step="collection", outcome="missing", sentence=sentence)
    if not known:
        return _empty(everything, scope)
    if (elsewhere := _elsewhere(known, scope)) is not None:
        return elsewhere
    ls = scope.command("ls")
    if known == [""]:
        sentence = (
            f"expected a store with {scope.shown}, got the folder of one collection: name the folder that has "
            "endpoint/deployment/collection below it"
        )
        return Finding(cause="folder_of_a_collection", step="store", outcome="stopped", sentence=sentence, run=(ls,))
    of_tenant = [root for root in known if not scope.name or (scope.tenant and root.startswith(f"{scope.tenant}/"))]
    names = known if scope.collection else sorted({root.rpartition("/")[0] or root for root in known})
    close = [] if scope.name in {"", *names} else misspelled(scope.name, names)
    advice = (
        nearest(scope.name, close) if close else nearest("", of_tenant if scope.collection and of_tenant else names)
    )
    none = "none of this name" if scope.name else "none"
    only_tests = bool(of_tenant) and all(map(_is_of_tests, of_tenant))
    if only_tests and not close:
        advice = "only test events of `otel-modeldata doctor` have arrived, so the path works: is it collected at all?"
    return Finding(
        cause="other_name" if close else "nothing_stored",
        step="collection",
        outcome="stopped" if close else "missing",
        sentence=f"expected lines of {scope.shown} in {scope.store}, got {none}: {advice}",
        run=(ls,),
    )


def _is_of_tests(root: str) -> bool:
    """Whether a collection has the events that `otel-modeldata doctor` sends."""
    return root.endswith(f"/{CANARY_COLLECTION}")


def _empty(everything: Sequence[StoredObject], scope: Scope) -> Finding:
    others = [one.name for one in everything if not one.name.startswith(("_", "."))]  # "." are a receiver's checks
    if others:
        sentence = (
            f"expected blobs of events in {scope.store}, got {len(others):,} other object(s), such as "
            f"{others[0][:200]!r}: this may not be the store of a receiver"
        )
        return Finding(cause="no_store", step="store", outcome="stopped", sentence=sentence)
    aside = sorted({one.name.partition("/")[0] for one in everything} & {QUARANTINE, PARKED})
    got = f"only what receivers have set aside ({', '.join(aside)[:200]})" if aside else "an empty store"
    sentence = (
        f"expected lines in {scope.store}, got {got}: nothing has been stored here yet, or the receiver writes to "
        "another store"
    )
    run = ("otel-modeldata check --environment", scope.command("doctor"))
    return Finding(cause="empty_store", step="store", outcome="missing", sentence=sentence, run=run)


def _below(prefix: str, scope: Scope) -> Finding:
    store = f"{scope.store.rstrip('/')}/{prefix}"
    sentence = (
        f"expected {scope.shown} at the top of {scope.store}, got it below {prefix!r}: the store is {store}, correct "
        "its URL"
    )
    return _moved(store, sentence, scope)


def _elsewhere(known: Sequence[str], scope: Scope) -> Finding | None:
    """That the store's URL names another folder, or the name is a part of one, if that is so."""
    last = [root for root in known if scope.name and root.endswith(f"/{scope.name}")]
    if last and all(root.count("/") == 2 for root in last):
        return _without_deployment(last, scope)
    above = [before for root in known if (before := f"{root}/".partition(f"/{scope.name}/"))[1]] if scope.name else []
    if above:
        return _below(above[0][0], scope)
    if (parent := _parent(known, scope)) is not None:
        return _above(parent, scope)
    return None


def _without_deployment(roots: Sequence[str], scope: Scope) -> Finding:
    shown = f"{', '.join(roots[:_SHOWN])}{', ...' if len(roots) > _SHOWN else ''}"
    sentence = (
        f"expected endpoint/deployment/collection, got {scope.name}: write the whole name, as ls lists it, {shown}"
    )
    run = (scope.command("why", roots[0]),)
    return Finding(cause="other_name", step="collection", outcome="stopped", sentence=sentence, run=run)


def _parent(known: Sequence[str], scope: Scope) -> str | None:
    """The store that has what is asked for, if the URL names a folder in it, by the end of the URL."""
    parts = scope.name.split("/")
    store = scope.store.rstrip("/")
    for count in range(1, len(parts)):
        before, rest = "/".join(parts[:count]), "/".join(parts[count:])
        parent = store.removesuffix(f"/{before}")
        if parent != store and any(root == rest or root.startswith(f"{rest}/") for root in known):
            return parent
    whole = store.removesuffix(f"/{scope.name}")
    return whole if scope.tenant and not scope.collection and whole != store and all(known) else None


def _above(store: str, scope: Scope) -> Finding:
    sentence = (
        f"expected a store with {scope.shown}, got a folder in it, {scope.store}: the store is {store}, correct its URL"
    )
    return _moved(store, sentence, scope)


def _moved(store: str, sentence: str, scope: Scope) -> Finding:
    inner = Scope(name=scope.name, window=scope.window, now=scope.now, store=store, url=store)
    return Finding(cause="other_folder", step="store", outcome="stopped", sentence=sentence, run=(inner.command("ls"),))


def _times(collections: Sequence[Seen], scope: Scope) -> Iterator[Finding]:
    is_some = any(one.has_data for one in collections)
    quiet = [one for one in collections if not one.has_data]
    for one in collections:
        if one.future:
            yield _future(one, scope, is_some=is_some)
            break
    late = next((one for one in quiet if one.late), None)
    if late is not None:
        written = "" if late.written is None else f" at {shown_time(late.written)}"
        sentence = (
            f"lines of {late.root} were written{written}, but into the folder {late.late}: their events are that old, "
            "or the sender's clock is behind; compare `date -u` of both machines, or read from that hour on"
        )
        outcome = stops(has_data=is_some)
        yield Finding(cause="late_events", step="collection", outcome=outcome, sentence=sentence)
    if is_some:
        shown = [one.root for one in collections if one.has_data]
        more = f" and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else ""
        yield Finding(
            cause="data",
            step="collection",
            outcome="ok",
            sentence=f"lines are written: {', '.join(shown[:_SHOWN])}{more}",
        )
    if quiet and not (is_some and scope.collection):
        yield _quiet(quiet, scope, outcome="suspect" if is_some else "missing")


def _future(one: Seen, scope: Scope, *, is_some: bool) -> Finding:
    sentence = (
        f"lines of {one.root} are in the folder {one.future}, whose time has not begun (now is "
        f"{shown_time(scope.now)}): "
        "the sender's clock is ahead, or it sends local time as UTC; compare `date -u` of both machines"
    )
    outcome = stops(has_data=is_some)
    return Finding(cause="future_events", step="collection", outcome=outcome, sentence=sentence)


def _quiet(quiet: Sequence[Seen], scope: Scope, *, outcome: Outcome) -> Finding:
    last = max(quiet, key=lambda one: (one.written or 0, one.last_end))
    written = "" if last.written is None else f", written at {shown_time(last.written)} ({_ago(scope, last.written)})"
    others = f" (and {len(quiet) - 1:,} more)" if len(quiet) > 1 else ""
    between = f"its folders are of {last.first} to {last.last or last.future}"
    sentence = f"expected lines of {last.root}{others} in the window, got none: {between}{written}"
    return Finding(
        cause="no_new_lines",
        step="collection",
        outcome=outcome,
        sentence=sentence,
        run=(scope.command("tail", last.root, "--lines", "3"),),
    )


def _ago(scope: Scope, moment: int) -> str:
    minutes = max(0, scope.now - moment) // NANOSECONDS // 60
    days, hours = minutes // 1440, minutes // 60
    return f"{days:,} d ago" if days > 1 else f"{hours} h ago" if hours > 1 else f"{minutes} min ago"


def _rates(collections: Sequence[Seen], scope: Scope) -> Iterator[Finding]:
    other = [one for one in collections if one.other_rate]
    if other:
        sentence = (
            f"{other[0].root} has the folder {other[0].other_rate}, which is not that of an hour: Azure ML's monitors "
            "read hour folders only and find none of these lines; set rolling_rate to Hour if they should"
        )
        yield Finding(
            cause="no_hour_folders",
            step="collection",
            outcome="suspect",
            sentence=sentence,
            run=(scope.command("ls"),),
        )


def _copies(store: StoreAccess, scope: Scope) -> Iterator[Finding]:
    """Copies by Azure ML's reader, which it reads instead of the blobs, if they are older."""
    if not scope.collection:
        return
    times = [one.modified for one in walk_below(store, f"{scope.name}{SHADOW_SUFFIX}") if one.modified is not None]
    if not times:
        return
    blobs = store.walk(scope.name)
    newest = max((one.modified for one in blobs if one.modified is not None), default=0.0)
    if max(times) < newest:
        sentence = (
            f"Azure ML's reader has copied blobs into {scope.name}{SHADOW_SUFFIX} and reads the copies, the last of "
            f"which is of {shown_time(int(max(times)) * NANOSECONDS)}: later lines are only in {scope.name}"
        )
        yield Finding(cause="old_copies", step="collection", outcome="suspect", sentence=sentence)
