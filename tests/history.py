"""Checks what a store holds against what was accepted, acknowledged and reported lost: the judge of every fault test.

    check(accepted=ids, acked=ids, lost={"id": "shutdown"}, store=folder)

raises `HistoryError` that names the invariant that broke and the ids, or returns the accounts. The invariants:

- **I1** accepted = stored + reported lost (with a reason) + quarantined, and nothing else is stored.
- **I2** what was acknowledged is stored (or quarantined), and nothing is stored twice.
- **I3** every line is one JSON object that ends with LF, under the path of its own tenant, collection and hour.
- **I4** what is refused has a reason (here), a typed error, a metric and one log line (`check_refusals`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from otel_modeldata import semconv
from stored_events import Store, read

__all__ = ["Accounts", "HistoryError", "Sent", "Store", "check", "check_refusals", "examine"]

_SHOWN: Final = 12
"""Ids that a message names; the rest is counted."""
_PATH: Final = re.compile(
    r"(?P<tenant>[^/]+/[^/]+)/(?P<collection>[^/]+)/(?P<hour>\d{4}/\d\d/\d\d/\d\d)/(?P<instance>[0-9a-f]{32})\d{6}\.jsonl"
)
_SOURCE: Final = re.compile(r"/(?:.*/online)?endpoints/([^/]+)/deployments/([^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An event as its sender knows it; what is None is not compared.

    Attributes:
        id: the event id.
        tenant: `{endpoint}/{deployment}`.
        collection: where it belongs.
        producer: the process that collected it.
        sequence: its number among the producer's events of that collection.
        hour: `YYYY/MM/DD/HH` in UTC.
    """

    id: str
    tenant: str | None = None
    collection: str | None = None
    producer: str | None = None
    sequence: int | None = None
    hour: str | None = None


class HistoryError(AssertionError):
    """At least one invariant is broken; the message has a line for each finding."""


@dataclass(slots=True, kw_only=True)
class Accounts:
    """What became of the events.

    Attributes:
        accepted: how many distinct events were accepted.
        stored: how many distinct events are stored.
        copies: how many lines are there beyond one for each event.
        quarantined: lines in quarantine.
        lost: how many accepted events are neither stored nor in quarantine.
        disorder: lines whose sequence is below one before them in the same blob.
        broken: what is wrong, each beginning with the invariant.
    """

    accepted: int = 0
    stored: int = 0
    copies: int = 0
    quarantined: int = 0
    lost: int = 0
    disorder: int = 0
    broken: list[str] = field(default_factory=list)

    def note(self, what: str, ids: Iterable[object]) -> None:
        """Add a finding if there are `ids` to it."""
        named = sorted(map(str, ids))
        if named:
            more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            self.broken.append(f"{what} ({len(named)}): {', '.join(named[:_SHOWN])}{more}")


def check(
    *,
    accepted: Iterable[Sent | str],
    store: Store,
    acked: Iterable[str] = (),
    lost: Mapping[str, str] | Iterable[str] | int = (),
    unknown: Iterable[str] = (),
    quarantined: Iterable[str] | None = None,
    readers_deduplicate: bool = False,
    torn_tails: bool = False,
    in_order: bool = False,
    key: str = "id",
) -> Accounts:
    """The accounts of a history in which no invariant is broken.

    Args:
        accepted: every event that `collect` accepted, or that was put on the wire; ids where nothing more is known.
        store: what is stored in the end, quarantine (`_quarantine/..`) included.
        acked: ids that were acknowledged.
        lost: ids that were reported lost, with the reason where it is known; or their number.
        unknown: ids that may be stored or not: reported lost before their outcome was known, or never answered.
        quarantined: ids expected in quarantine; by default any.
        readers_deduplicate: copies in blobs of *different* instances are counted, not broken: what the documented
            de-duplication by id removes after a ring change.
        torn_tails: a blob may end in the middle of a line: its writer was killed and has not come back.
        in_order: within each blob the sequences of one producer and collection must rise.
        key: the line key that ids stand for: `correlationid` where the test gave each event one of its own, because
            the SDK keeps event ids to itself.

    Raises:
        HistoryError: an invariant is broken.
    """
    accounts = examine(
        accepted=accepted,
        store=store,
        acked=acked,
        lost=lost,
        unknown=unknown,
        quarantined=quarantined,
        readers_deduplicate=readers_deduplicate,
        torn_tails=torn_tails,
        key=key,
    )
    if in_order and accounts.disorder:
        accounts.broken.append(f"order: {accounts.disorder} lines stand behind a later one of their producer")
    if accounts.broken:
        raise HistoryError("\n".join(accounts.broken))
    return accounts


def examine(
    *,
    accepted: Iterable[Sent | str],
    store: Store,
    acked: Iterable[str] = (),
    lost: Mapping[str, str] | Iterable[str] | int = (),
    unknown: Iterable[str] = (),
    quarantined: Iterable[str] | None = None,
    readers_deduplicate: bool = False,
    torn_tails: bool = False,
    key: str = "id",
) -> Accounts:
    """As `check`, but what is broken is in the accounts: for benchmarks that count what others lose."""
    sent = {one.id: one for one in (Sent(id=item) if isinstance(item, str) else item for item in accepted)}
    found = read(store, torn_tails=torn_tails, key=key)
    places: dict[str, list[str]] = defaultdict(list)
    for blob, event in found.lines:
        places[event["id"]].append(blob)
    kept = set(found.quarantined)
    gone = sent.keys() - places.keys() - kept
    accounts = Accounts(
        accepted=len(sent),
        stored=len(places),
        copies=len(found.lines) - len(places),
        quarantined=len(found.quarantined),
        lost=len(gone),
        disorder=_disorder(found.lines),
    )
    _check_losses(accounts, gone, {*places, *kept}, lost, frozenset(unknown))
    accounts.note("I1 stored, but never accepted", places.keys() - sent.keys())
    if quarantined is not None:
        accounts.note("I1 expected in quarantine, but not there", set(quarantined) - kept)
        accounts.note("I1 in quarantine, but not expected there", kept - set(quarantined))
    accounts.note("I2 acknowledged, but neither stored nor in quarantine", set(acked) - places.keys() - kept)
    accounts.note("I2 stored and in quarantine", places.keys() & kept)
    accounts.note("I2 twice in quarantine", (key for key, count in Counter(found.quarantined).items() if count > 1))
    accounts.note("I2 stored more than once", _copies(places, across=not readers_deduplicate))
    accounts.note("I2 two events under one number of a producer", _shared_numbers(found.lines))
    accounts.note("I3 unreadable", found.unreadable)
    accounts.note("I3 under a wrong path", (text for blob, event in found.lines for text in _misplaced(blob, event)))
    accounts.note("I3 not what was sent", (text for _, event in found.lines for text in _altered(event, sent)))
    accounts.note("I4 in quarantine without a reason", found.unreasoned)
    return accounts


def check_refusals(*, happened: Mapping[str, int], counted: Mapping[str, int], logged: Iterable[str]) -> None:
    """I4: each kind of refusal is counted as often as it happened, and is the subject of exactly one log line.

    Args:
        happened: number of refusals by kind (the type of the error, or the reason before its colon).
        counted: the same as the metric says.
        logged: every log line of the run; one is about a kind if it contains its name.

    Raises:
        HistoryError: I4 is broken.
    """
    messages = list(logged)
    broken = [
        f"I4 {kind}: happened {happened.get(kind, 0)} times, counted {counted.get(kind, 0)}"
        for kind in sorted({*happened, *counted})
        if happened.get(kind, 0) != counted.get(kind, 0)
    ]
    for kind in sorted(kind for kind, count in happened.items() if count):
        lines = sum(kind in message for message in messages)
        if lines != 1:
            broken.append(f"I4 {kind}: expected one log line, got {lines}")
    if broken:
        raise HistoryError("\n".join(broken))


def _check_losses(
    accounts: Accounts,
    gone: set[str],
    there: set[str],
    lost: Mapping[str, str] | Iterable[str] | int,
    unknown: frozenset[str],
) -> None:
    if isinstance(lost, int):
        missing = gone - unknown
        if len(missing) != lost:
            accounts.note(f"I1 reported as lost {lost}, but missing", missing)
            if not missing:
                accounts.broken.append(f"I1 reported as lost {lost}, but nothing is missing")
        return
    reasons = dict(lost) if isinstance(lost, Mapping) else dict.fromkeys(lost, "reported")
    accounts.note("I1 accepted, but neither stored, lost nor in quarantine", gone - reasons.keys() - unknown)
    accounts.note("I1 reported lost, but it is there", (reasons.keys() & there) - unknown)
    accounts.note("I4 lost without a reason", (key for key, reason in reasons.items() if not reason))


def _copies(places: Mapping[str, list[str]], *, across: bool) -> list[str]:
    """Ids that are stored more than once; unless `across`, only within the blobs of one instance."""
    copies = []
    for key, blobs in places.items():
        writers = Counter("" if across else _instance(blob) for blob in blobs)
        if max(writers.values()) > 1:
            copies.append(f"{key} in {' + '.join(blobs) if any(blobs) else f'{len(blobs)} lines'}")
    return copies


def _instance(blob: str) -> str:
    match = _PATH.fullmatch(blob)
    return match["instance"] if match else ""


def _shared_numbers(lines: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    owners: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for _, event in lines:
        if "producer" in event and "sequence" in event:
            owners[event["producer"], event.get("type", ""), event["sequence"]].add(event["id"])
    return [f"{'/'.join(key)}: {' + '.join(sorted(ids))}" for key, ids in owners.items() if len(ids) > 1]


def _disorder(lines: Iterable[tuple[str, dict[str, Any]]]) -> int:
    last: dict[tuple[str, str, str], int] = {}
    count = 0
    for blob, event in lines:
        if "producer" in event and "sequence" in event:
            key = (blob, event["producer"], event.get("type", ""))
            count += int(event["sequence"]) < last.get(key, -1)
            last[key] = max(int(event["sequence"]), last.get(key, -1))
    return count


def _misplaced(blob: str, event: dict[str, Any]) -> Iterable[str]:
    """What of a line contradicts the name of its blob."""
    if not blob:
        return
    match = _PATH.fullmatch(blob)
    if match is None:
        yield f"{event['id']} in {blob}"
        return
    for name, value in _says(event).items():
        if value is not None and value != match[name]:
            yield f"{event['id']} of {name} {value} in {blob}"


def _says(event: dict[str, Any]) -> dict[str, str | None]:
    """Where a line belongs by its own keys; the tenant is None where `source` is somebody's own URI."""
    source = _SOURCE.fullmatch(str(event.get("source")))
    return {
        "tenant": "/".join(source.groups()) if source else None,
        "collection": str(event.get("type")).removeprefix(semconv.EVENT_TYPE_PREFIX),
        "hour": re.sub("[-T]", "/", str(event.get("time"))[:13]),
    }


def _altered(event: dict[str, Any], sent: Mapping[str, Sent]) -> Iterable[str]:
    """What of a line contradicts what its sender knows."""
    known = sent.get(event["id"])
    if known is None:
        return
    numbers = {
        "producer": event.get("producer"),
        "sequence": int(event["sequence"]) if "sequence" in event else None,
    }
    for name, value in {**_says(event), **numbers}.items():
        expected = getattr(known, name)
        if expected is not None and expected != value:
            yield f"{event['id']}: {name} {value!r}, sent {expected!r}"
