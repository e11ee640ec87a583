"""A digest of Arrow columns by their values: equal however they are chunked, encoded as a dictionary, or compressed.

It is made of what was read from lines, and made again of what was read back from Parquet.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from ..types.nested import is_list, is_run_end_encoded

if TYPE_CHECKING:
    from typing import Protocol

    class _Digest(Protocol):
        def update(self, data: bytes | memoryview, /) -> None: ...


__all__ = ["content_digest"]

_DIGEST_BYTES: Final = 16
_BITS: Final = 8


def content_digest(table: pa.Table) -> str:
    """The digest of the columns of a table, of their names and types, and of its number of rows."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    digest.update(f"{table.num_rows}\0{table.num_columns}\0".encode())
    for field, column in zip(table.schema, table.columns, strict=True):
        digest.update(f"{field.name}\0{field.type}\0".encode(errors="surrogatepass"))
        _add(digest, _one_array(column))
    return digest.hexdigest()


def _one_array(column: Any) -> Any:
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def _add(digest: _Digest, array: Any) -> None:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        _add(digest, array.storage)
        return
    if types.is_dictionary(kind):
        _add(digest, array.dictionary_decode())
        return
    if is_run_end_encoded(kind):
        _add(digest, pc.run_end_decode(array))
        return
    digest.update(np.packbits(array.is_valid().to_numpy(zero_copy_only=False)).tobytes())
    if types.is_null(kind):
        return
    if types.is_struct(kind):
        for part in array.flatten():
            _add(digest, part)
    elif types.is_map(kind) or is_list(kind):
        lengths = pc.list_value_length(array) if not types.is_map(kind) else _map_lengths(array)
        digest.update(lengths.fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False).tobytes())
        if types.is_map(kind):
            kept = array.drop_null()
            first, last = kept.offsets[0].as_py(), kept.offsets[len(kept)].as_py()
            _add(digest, kept.keys.slice(first, last - first) if len(kept.keys) > last - first else kept.keys)
            _add(digest, kept.items.slice(first, last - first) if len(kept.items) > last - first else kept.items)
        else:
            _add(digest, array.flatten())
    else:
        _add_values(digest, array)


def _map_lengths(array: Any) -> Any:
    ends = array.offsets.to_numpy()
    return pa.array(np.where(array.is_valid().to_numpy(zero_copy_only=False), np.diff(ends), 0))


def _add_values(digest: _Digest, array: Any) -> None:
    kind = array.type
    if types.is_boolean(kind):
        digest.update(np.packbits(pc.fill_null(array, fill_value=False).to_numpy(zero_copy_only=False)).tobytes())
        return
    try:
        width = kind.bit_width
    except ValueError:  # texts and bytes of any length
        whole = array.cast(pa.large_binary()).fill_null(b"")
        lengths = pc.binary_length(whole).to_numpy(zero_copy_only=False)
        digest.update(lengths.astype(np.int64).tobytes())
        first, last = whole.offset, whole.offset + len(whole)
        offsets = np.frombuffer(whole.buffers()[1], np.int64, last + 1)
        if last > first and offsets[last] > offsets[first]:
            digest.update(memoryview(whole.buffers()[2])[offsets[first] : offsets[last]])
        return
    size = width // _BITS
    values = np.frombuffer(array.buffers()[1], np.uint8)[array.offset * size : (array.offset + len(array)) * size]
    if array.null_count:  # what is beneath a null is no value
        values = values.copy()
        values.reshape(-1, size)[~array.is_valid().to_numpy(zero_copy_only=False)] = 0
    digest.update(values.tobytes())
