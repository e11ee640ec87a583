"""The payloads beside the lines of a store: whether the lines that refer to them find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata_receiver.layout.payload_path import payload_path

from . import stored_line
from .fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from otel_modeldata_receiver.layout.payload_path import PayloadPath

    from .summaries.hour_summary import Reference

__all__ = ["Payloads"]


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
        self._open: list[Reference] = []

    def check(self, reference: Reference) -> str | None:
        """How the payload of a line differs from its `contentrange`; None also without a payload."""
        payload = _payload_path(reference)
        name = payload.found(self.objects)
        if name is not None:
            return self._check_found(reference, name)
        if payload.is_certain:
            self._open.append(reference)
        else:
            self.foreign += 1
        return None

    @property
    def has_open(self) -> bool:
        """Whether payloads are not among `objects`; they may have been stored later."""
        return bool(self._open)

    def check_again(self, objects: Mapping[str, int]) -> Iterator[tuple[Reference, str]]:
        """Check what is open, against the current objects; a payload that is still not there is missing.

        Yields:
            the lines whose payload differs from its `contentrange`, and how.
        """
        self.objects = objects
        references, self._open = self._open, []
        for one in references:
            payload = _payload_path(one)
            name = payload.found(objects)
            if name is None:
                reason = f"expected the object {payload.names[0]!r}, got none of that name"
                self.missing.add(one.blob, one.line, reason)
            elif (problem := self._check_found(one, name)) is not None:
                yield one, problem

    def _check_found(self, reference: Reference, name: str) -> str | None:
        if not self._is_at(name, reference.url):
            self.elsewhere += 1
        return stored_line.referenced_size_problem(reference, self.objects[name])


def _payload_path(reference: Reference) -> PayloadPath:
    return payload_path(reference.blob.rpartition("/")[0], reference.url)
