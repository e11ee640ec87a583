"""The payloads beside the lines of a store: whether the lines that refer to them find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_modeldata_receiver.layout.payload_path import payload_path

from . import stored_line
from .fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from otel_modeldata_receiver.layout.blob_path import BlobPath
    from otel_modeldata_receiver.layout.payload_path import PayloadPath

    from .stored_line import StoredLine

__all__ = ["Payloads"]


@dataclass(frozen=True, slots=True)
class _Reference:
    """A line that refers to a payload."""

    path: BlobPath
    number: int
    line: StoredLine
    url: str
    payload: PayloadPath


class Payloads:
    """Checks the payloads that lines refer to.

    Args:
        objects: sizes of the objects of the store, by name.
        is_at: whether a reference, as it is, leads to the object of a name.

    Attributes:
        objects: see above; replaced by `check_again`.
        missing: lines whose payload is not in the store; complete after `check_again`.
        foreign: lines that refer to an object outside of their folder, which is not checked.
        elsewhere: lines whose payload is in the store, but not where they refer to.
    """

    def __init__(self, objects: Mapping[str, int], is_at: Callable[[str, str], bool]) -> None:
        self.objects = objects
        self.missing = Fault()
        self.foreign = 0
        self.elsewhere = 0
        self._is_at = is_at
        self._open: list[_Reference] = []

    def check(self, path: BlobPath, number: int, line: StoredLine) -> str | None:
        """How the payload of a line differs from its `contentrange`; None also without a payload."""
        url = stored_line.reference(line)
        if url is None:
            return None
        reference = _Reference(path, number, line, url, payload_path(path.folder, url))
        name = reference.payload.found(self.objects)
        if name is not None:
            return self._check_found(reference, name)
        if reference.payload.is_certain:
            self._open.append(reference)
        else:
            self.foreign += 1
        return None

    @property
    def has_open(self) -> bool:
        """Whether payloads are not among `objects`; they may have been stored later."""
        return bool(self._open)

    def check_again(self, objects: Mapping[str, int]) -> Iterator[tuple[BlobPath, int, str]]:
        """Check what is open, against the current objects; a payload that is still not there is missing.

        Yields:
            the blob and the number of a line whose payload differs from its `contentrange`, and how.
        """
        self.objects = objects
        references, self._open = self._open, []
        for one in references:
            name = one.payload.found(objects)
            if name is None:
                reason = f"expected the object {one.payload.names[0]!r}, got none of that name"
                self.missing.add(one.path, one.number, reason)
            elif (problem := self._check_found(one, name)) is not None:
                yield one.path, one.number, problem

    def _check_found(self, reference: _Reference, name: str) -> str | None:
        if not self._is_at(name, reference.url):
            self.elsewhere += 1
        return stored_line.referenced_size_problem(reference.line, self.objects[name])
