"""What a reading counted and skipped."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Place", "ReadReport", "SealCounts", "TypeChange", "counted"]


def counted(number: int, noun: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a line is.

    Attributes:
        blob: name of its blob in the store.
        line: its number in the blob, from 1.
    """

    blob: str
    line: int

    def __str__(self) -> str:
        return f"{self.blob}, line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeChange:
    """A column whose values have another type than before.

    Attributes:
        column: its name.
        before: the type until then, such as `integer`, or a code of `datatypes`.
        after: the type from then on.
        place: the first line of the other type.
        became: the type of the column in the result.
    """

    column: str
    before: str
    after: str
    place: Place
    became: str

    def __str__(self) -> str:
        change = f"changed from {self.before} to {self.after} in {self.place}"
        return f"column {self.column!r} {change}; read as {self.became}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealCounts:
    """What a reading of sealed hours leaves out, within its window.

    Attributes:
        unsealed: folders that have no seal.
        changed: folders that have not all bytes of their seal any more: they are left out, too.
        reopened: folders to which lines came after their seal. The sealed lines are read.
        late_bytes: bytes of these later lines.
    """

    unsealed: int = 0
    changed: int = 0
    reopened: int = 0
    late_bytes: int = 0

    def __str__(self) -> str:
        parts = [counted(self.unsealed, "folder") + " without a seal"] if self.unsealed else []
        parts += [counted(self.changed, "folder") + " changed after the seal"] if self.changed else []
        late = f"{self.late_bytes:,} bytes in {counted(self.reopened, 'folder')} came after the seal"
        return "; ".join([*parts, late] if self.reopened else parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReport:
    """The counts of one reading, complete when it has ended.

    Attributes:
        blobs: blobs that were read.
        size: bytes in these blobs, as they were listed.
        lines: events in the result.
        rows: rows of these events, before `where`.
        kept: rows in the result.
        outside: events in the blobs that were read, but outside of the window.
        duplicates: lines left out, because another line has the same id.
        torn: blobs whose last line is incomplete: it is being written, or its writer was interrupted.
        foreign: lines left out, because they are no events with rows.
        misplaced: events in the folder of another time.
        mismatched: events whose rows do not have the types that their line says; they were read without these.
        missing_payloads: events left out, because the object that they refer to is missing or unreadable.
        distrusted: compacted folders with a manifest or a Parquet file that is damaged or missing: their lines were
            read instead, where they are still there.
        quarantined: lines in the quarantine of the store in the same hours, of any collection: they could not become
            events.
        parked: bytes of this collection that wait in the store for their own place.
        renamed: columns whose name the envelope has too, and the names that they have in the result.
        type_changes: columns that changed their type, the first time for each type.
        unconverted: columns of a frame with a cell that is no value of the type that its line says: they have the
            values of the Arrow table.
        first: the first lines that were left out, and why; at most 20.
        seals: what was left out because it is not sealed; None unless only sealed hours were asked for.
    """

    blobs: int = 0
    size: int = 0
    lines: int = 0
    rows: int = 0
    kept: int = 0
    outside: int = 0
    duplicates: int = 0
    torn: int = 0
    foreign: int = 0
    misplaced: int = 0
    mismatched: int = 0
    missing_payloads: int = 0
    distrusted: int = 0
    quarantined: int = 0
    parked: int = 0
    renamed: tuple[tuple[str, str], ...] = ()
    type_changes: tuple[TypeChange, ...] = ()
    unconverted: tuple[str, ...] = ()
    first: tuple[tuple[Place, str], ...] = ()
    seals: SealCounts | None = None

    @property
    def is_clean(self) -> bool:
        """Whether every line was read, each with the types of all others."""
        skipped = self.torn + self.foreign + self.mismatched + self.missing_payloads + self.quarantined + self.parked
        return not skipped and not self.distrusted and not self.type_changes and not self.unconverted

    def __str__(self) -> str:
        skipped = (
            "duplicates",
            "torn",
            "foreign",
            "misplaced",
            "mismatched",
            "missing_payloads",
            "distrusted",
            "quarantined",
            "outside",
        )
        read = (counted(self.kept, "row"), counted(self.lines, "line"), counted(self.blobs, "blob"))
        parts = ["{} of {} in {}".format(*read)]
        parts += [f"{name.replace('_', ' ')} {getattr(self, name):,}" for name in skipped if getattr(self, name)]
        parts += [f"{self.parked:,} bytes parked"] if self.parked else []
        parts += [f"column {name!r} is {new!r} here" for name, new in self.renamed]
        parts += [str(change) for change in self.type_changes]
        parts += [f"column {name!r} has values of another type than its lines say" for name in self.unconverted]
        parts += [str(self.seals)] if self.seals is not None and self.seals != SealCounts() else []
        return "; ".join(parts)
