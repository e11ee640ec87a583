"""Finds the payload that a line refers to: the one rule for every reader of a store.

A line has the URL or the path at which its payload was when it was stored, because Azure ML's reader opens nothing
else. A store that was moved, copied or downloaded has the payload elsewhere, but always in the folder `files` beside
the blob, and under the same name. The name has a digest of the content, so no other payload has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["FILES", "PayloadPath", "payload_path"]

FILES: Final = "files"
"""The folder beside a blob that has the payloads of its lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadPath:
    """Where the payload of a line may be.

    Attributes:
        names: its possible names in the store, the most likely first.
        is_certain: whether the reference names the folder of the line, so that the payload must be in it.
    """

    names: tuple[str, ...]
    is_certain: bool

    def found(self, names: Container[str]) -> str | None:
        """The name of the payload among the names of a store, or None."""
        return next((name for name in self.names if name in names), None)


def payload_path(folder: str, reference: str) -> PayloadPath:
    """Where the payload of a line is.

    Args:
        folder: the folder of the line's blob, as a name in the store; empty if the blob is at the top.
        reference: the line's `dataref`, or its `data` if `datainblob` is set, or a reference in quarantine: a URL, or a
            path of any machine.
    """
    reference = reference.replace("\\", "/")
    above, _, last = reference.rpartition("/")
    if last in {"", ".", ".."}:
        return PayloadPath(names=(), is_certain=False)
    start = f"{folder}/" if folder else ""
    beside, same = f"{start}{FILES}/{last}", f"{start}{last}"
    if f"/{reference}".endswith((f"/{beside}", f"/{same}") if folder else f"/{beside}"):
        return PayloadPath(names=(beside, same), is_certain=True)
    # The folder was renamed, or the line was copied into another one with its payload.
    is_ours = above.rpartition("/")[2] == FILES
    return PayloadPath(names=(beside,) if is_ours else (), is_certain=False)
