"""The source of a dataset in MLflow: which call of which store made its rows.

MLflow finds the class by the entry point `mlflow.dataset_source`, so that `mlflow.data.get_source` works in every
process. It imports this module whenever it is imported itself, so nothing else is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlflow.data.dataset_source import DatasetSource

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RowsSource"]

_METHODS: Final = ("read", "join")


class RowsSource(DatasetSource):
    """A call of a store.

    Args:
        store: its URL, without a signature or key.
        method: `read` or `join`.
        arguments: of the call.
    """

    def __init__(self, store: str, method: str, arguments: dict[str, Any]) -> None:
        self.store = store
        self.method = method
        self.arguments = arguments

    @staticmethod
    def _get_source_type() -> str:
        return "otel_modeldata"

    def load(self) -> pd.DataFrame:
        """The rows as they are in the store now, with the credentials of the environment.

        Raises:
            ReaderError: the store cannot be read, or the source is none.
        """
        import otel_modeldata_reader as reader  # noqa: PLC0415 (see above)

        if self.method not in _METHODS:
            raise reader.ReaderError(f"expected the method {' or '.join(_METHODS)}, got {self.method!r}: correct it")
        with reader.open(self.store) as store:
            try:
                rows = getattr(store, self.method)(**self.arguments)
            except TypeError as error:  # logged by another release
                raise reader.ReaderError(f"expected the arguments of {self.method}, got others: {error}") from None
            frame: pd.DataFrame = rows.to_pandas()
            return frame

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:  # noqa: ARG004 (as its base class)
        return False  # a text that names a store may as well be meant for another source

    @classmethod
    def _resolve(cls, raw_source: Any) -> RowsSource:
        raise NotImplementedError(f"expected rows of a store, got {raw_source!r}: call to_mlflow_dataset() of the rows")

    def to_dict(self) -> dict[str, Any]:
        """The source as JSON has it."""
        return {"store": self.store, "method": self.method, "arguments": self.arguments}

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> RowsSource:
        """The source of `to_dict`."""
        return cls(source_dict["store"], source_dict["method"], source_dict["arguments"])
