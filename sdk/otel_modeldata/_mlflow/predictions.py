"""Collects the inputs and outputs of each call of a model with one correlation id.

Uses only the interface of an MLflow model (`metadata.get_input_schema()`, `predict(data, params)`), so nothing here
imports MLflow. Arguments, result object and exceptions are the same as without collecting. Errors of collecting are
logged and never raised.

Only the outermost call is collected: a model that calls other models is one model to its callers. A context variable
marks the outermost call: it propagates through `await` and `asyncio.to_thread`, not into plain threads.
"""

from __future__ import annotations

import functools
import logging
import math
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Any

from .. import collector as collectors
from ..collector import Collector
from ..context import resolve, use_correlation_context
from ..exceptions import NotEnabledError, UnsupportedValueError
from ..log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import pandas as pd

    from ..context import CorrelationContext
    from .to_dataframe import SignatureColumns

logger = logging.getLogger(__name__)

INPUTS = "model_inputs"
OUTPUTS = "model_outputs"

MAX_STREAMED_CHUNKS = 10_000
MAX_STREAMED_CHARS = 4 * 2**20
"""A streamed answer above either limit is not collected: a cut answer would look complete."""

_inside: ContextVar[bool] = ContextVar("otel_modeldata_inside_prediction", default=False)


class Predictions:
    """Collects the calls of the models it wraps.

    Args:
        collects: whether the calls of a model are collected now.
        version_of: the line key `modelversion` of a model.
    """

    def __init__(self, collects: Callable[[Any], bool], version_of: Callable[[Any], str]) -> None:
        self._collects = collects
        self._version_of = version_of
        self._collectors: dict[tuple[str, str], Collector | None] = {}
        self._throttle = LogThrottle(logger)
        self._once = LogThrottle(logger, math.inf)

    def wrap(self, predict: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the `predict` method of a model class, so that calls are collected."""

        @functools.wraps(predict)
        def collected(model: Any, *args: Any, **kwargs: Any) -> Any:
            if _inside.get() or not _has_data(args, kwargs) or not self._collects(model):
                return predict(model, *args, **kwargs)
            context = self._begin(model, *args, **kwargs)
            with _in_force(context):
                result = predict(model, *args, **kwargs)
            self._collect(OUTPUTS, model, result, context)
            return result

        return collected

    def wrap_stream(self, predict_stream: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the `predict_stream` method of a model class, so that calls are collected at the end of the stream."""

        @functools.wraps(predict_stream)
        def collected(model: Any, *args: Any, **kwargs: Any) -> Any:
            if _inside.get() or not _has_data(args, kwargs) or not self._collects(model):
                return predict_stream(model, *args, **kwargs)
            context = self._begin(model, *args, **kwargs)
            with _in_force(context):
                chunks = predict_stream(model, *args, **kwargs)
            return self._streamed(model, chunks, context)

        return collected

    def _streamed(self, model: Any, chunks: Iterator[Any], context: CorrelationContext) -> Generator[Any, None, None]:
        answer = _Answer()
        try:
            while True:
                with _in_force(context):  # not while the consumer runs
                    try:
                        chunk = next(chunks)
                    except StopIteration:
                        break
                answer.add(chunk)
                yield chunk
        finally:
            if callable(close := getattr(chunks, "close", None)):
                close()
        self._collect(OUTPUTS, model, answer, context)

    def _begin(self, model: Any, data: Any = None, *_: Any, **__: Any) -> CorrelationContext:
        """Collect the inputs before the model runs, because it may fail or change them."""
        context = resolve(None)
        self._collect(INPUTS, model, data, context)
        return context

    def _collect(self, name: str, model: Any, value: object, context: CorrelationContext) -> None:
        try:
            if not collectors.application_names.isdisjoint((INPUTS, OUTPUTS)):
                self._warn_once("own collectors", "models are not collected: the application has Collectors of its own")
                return
            collector = self._collector(name, self._version_of(model))
            if collector is not None:
                collector.collect(_frame(name, model, value), context)
        except UnsupportedValueError as error:
            self._warn_once(f"{name} {type(value).__name__}", f"{name} of a model are not collected: {error}")
        except Exception as error:  # noqa: BLE001 - error boundary to scoring: the caller of a model is not affected
            condition = f"{name} {type(error).__name__}"
            self._throttle.log(logging.WARNING, condition, "%s of a model are not collected: %s", name, error)

    def _collector(self, name: str, version: str) -> Collector | None:
        key = (name, version)
        if key not in self._collectors:
            self._collectors[key] = None  # an error is reported once: the configuration does not change
            self._collectors[key] = _automatic_collector(name, version)
        return self._collectors[key]

    def _warn_once(self, condition: str, sentence: str) -> None:
        self._once.log(logging.WARNING, condition, "%s", sentence)


class _Answer:
    """The chunks of a stream, joined into one output, so that one input has one output."""

    def __init__(self) -> None:
        self._chunks: list[Any] = []
        self._chars = 0
        self._is_too_long = False

    def add(self, chunk: object) -> None:
        if self._is_too_long:
            return
        self._chars += len(chunk) if isinstance(chunk, str) else len(repr(chunk))
        self._chunks.append(chunk)
        if self._chars > MAX_STREAMED_CHARS or len(self._chunks) > MAX_STREAMED_CHUNKS:
            self._is_too_long = True
            self._chunks.clear()

    def frame(self) -> pd.DataFrame:
        """One row: the text, or the list of chunks.

        Raises:
            UnsupportedValueError: there were too many chunks or characters.
        """
        from .to_dataframe import cells  # noqa: PLC0415 - loads pandas

        if self._is_too_long:
            raise UnsupportedValueError(
                f"expected a streamed answer of at most {MAX_STREAMED_CHUNKS} chunks and {MAX_STREAMED_CHARS} "
                "characters, got more: collect it in parts with a Collector of your own"
            )
        texts = [chunk for chunk in self._chunks if isinstance(chunk, str)]
        return cells(["".join(texts) if len(texts) == len(self._chunks) else self._chunks])


def _has_data(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call has the form `predict(data, params=None)`; the model itself rejects any other."""
    return bool(args) or "data" in kwargs


@contextmanager
def _in_force(context: CorrelationContext) -> Iterator[None]:
    """While the model runs, calls of other models count as inner calls, and its own Collectors join."""
    token = _inside.set(True)
    try:
        with use_correlation_context(context):
            yield
    finally:
        _inside.reset(token)


def _frame(name: str, model: Any, value: object) -> pd.DataFrame:
    from .to_dataframe import frame_of  # noqa: PLC0415 - loads pandas

    if isinstance(value, _Answer):
        return value.frame()
    return frame_of(value, _columns_of(model)) if name == INPUTS else frame_of(value)


def _columns_of(model: Any) -> SignatureColumns:
    """The columns that the signature states for inputs. Outputs keep `0`, as in Azure's script for MLflow models."""
    from .to_dataframe import UNKNOWN_COLUMNS, SignatureColumns  # noqa: PLC0415 - loads pandas

    schema = model.metadata.get_input_schema()
    if schema is None:
        return UNKNOWN_COLUMNS
    names = tuple(map(str, schema.input_names())) if schema.has_input_names() else ()
    if schema.is_tensor_spec():
        return SignatureColumns(names=names, are_tensors=True)
    are_scalar = all(isinstance(column.type, Enum) for column in schema.inputs)  # others are Array, Object, Map
    return SignatureColumns(names=names, are_scalar=are_scalar, hold_lists=not are_scalar)


def _automatic_collector(name: str, version: str) -> Collector | None:
    try:
        return Collector(name=name, model_version=version)
    except NotEnabledError as error:
        logger.info("%s of models: %s", name, error)
        return None
    finally:
        collectors.application_names.discard(name)  # the application did not make it
