"""`Collector`: the class that score.py uses.

A drop-in replacement for `azureml.ai.monitoring.Collector`: change `azureml.ai.monitoring` in the import to
`otel_modeldata`. `import otel_modeldata` imports neither pandas nor gRPC nor the OpenTelemetry SDK. `Collector(...)`
loads the rest of the package if the program has imported pandas, else the first `collect` does.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from . import _forking, semconv
from ._delivery import metrics, open_transport
from ._delivery.ending.hooks import install_hooks
from ._settings.settings import Settings
from .context import BasicCorrelationContext, CorrelationContext, WrapperContext, checked_text, resolve
from .exceptions import CollectionNameError, ContextError, NotEnabledError, UnsupportedDataError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from ._emitter import Emitter
    from .config import CollectorConfig

__all__ = ["Collector"]

logger = logging.getLogger(__name__)

_ACCEPTED = "accepted"
_NOT_SAMPLED = "dropped_sampling"

application_names: set[str] = set()
"""Names of the collectors that the application made: automatic collection (`mlflow.py`) is disabled for these."""


class Collector:
    """Collects DataFrames into one collection.

    Args:
        name: the collection, a folder of the store: 1 to 128 characters of `A-Z a-z 0-9 . _ -`. Azure ML's monitoring
            recognizes `model_inputs` and `model_outputs`.
        on_error: called with each error instead of raising it, so that scoring goes on; by the thread that calls
            `collect` for errors known there, by the delivery thread for events that are lost later.
        model_version: the line key `modelversion`; `default` when missing, the value that Azure's collector always
            writes.

    Raises:
        ConfigError: the configuration or the endpoint is wrong; always raised, never given to `on_error`, because
            nothing could ever be collected.
        CollectionNameError: `name` is empty or cannot be a folder (or given to `on_error`).
        NotEnabledError: the configuration lists other collections only (or given to `on_error`).
        TypeError: `on_error` cannot be called.
    """

    def __init__(
        self, *, name: str, on_error: Callable[[Exception], Any] | None = None, model_version: str | None = None
    ) -> None:
        if on_error is not None and not callable(on_error):
            raise TypeError(
                f"expected a function in on_error, got {type(on_error).__name__}: it is called with each error"
            )
        self.name = name
        application_names.add(str(name))
        self._on_error = on_error
        self._model_version = model_version or semconv.DEFAULT_MODEL_VERSION
        self._settings = Settings.from_env()  # errors are raised now, in init(), not in the first scoring request
        self._config = self._settings.config
        open_transport.check(self._settings)
        metrics.register_once()
        install_hooks(on_sigterm=self._settings.delivery.on_sigterm)
        self._rate = self._config.rate_of(str(name))
        self._refusal = _refusal(name, self._config)
        self._switched_off = self._refusal is not None and _is_switched_off(name, self._config)
        self._emitter: Emitter | None = None
        if self._switched_off:
            logger.info("collection %s is switched off: its frames are dropped", name)
        if self._refusal is not None:
            self._report(self._refusal)
        elif "pandas" in sys.modules:
            # Now, not in the first request, nor in a thread that outlives the main one, when Python refuses imports.
            self._load()

    def collect(self, data: pd.DataFrame, correlation_context: CorrelationContext | None = None) -> CorrelationContext:
        """Collect a frame; later changes of the frame do not change the record.

        Args:
            data: a pandas DataFrame of any shape; `_encoding/dataframe_json.py` has the rules for each type of value.
            correlation_context: what an earlier `collect` of the same request returned, or your own; without it the
                current one (`use_correlation_context`), else a new one.

        Returns:
            The correlation context: pass it to the next `collect` of this request. In debug mode it also has
            `is_success()` and `get_message()`.

        Raises:
            CollectError: the frame is not collected, see `exceptions.py`; with `on_error` the error is passed to it
                instead.
        """
        context: CorrelationContext | None = None
        try:
            context = resolve(correlation_context)
            message = self._collect(data, context)
        except Exception as error:  # noqa: BLE001 - error boundary to scoring: with on_error none is raised
            message = str(error)
            metrics.count_refused(self.name, error)
            self._report(error)
        context = context or BasicCorrelationContext()
        if self._config.debug:
            return WrapperContext(context, message == _ACCEPTED, message)
        return context

    def _collect(self, data: pd.DataFrame, context: CorrelationContext) -> str:
        if self._refusal is not None:
            raise self._refusal
        correlation_id = _correlation_id(context)
        if self._rate < 1 and not semconv.is_sampled(correlation_id, self._rate):
            metrics.count_sampled_out(self.name)
            return _NOT_SAMPLED
        emitter = self._emitter or self._make_emitter(data)
        emitter.emit(data, correlation_id, context)
        return _ACCEPTED

    def _make_emitter(self, data: object) -> Emitter:
        if "pandas" not in sys.modules:  # then `data` cannot be a DataFrame: pandas need not be loaded
            raise UnsupportedDataError(data)
        return self._load()

    def _load(self) -> Emitter:
        """Load the heavy part of the package; a fork waits for it, else its child would have half-imported modules."""
        with _forking.guard:
            from ._emitter import Emitter  # noqa: PLC0415 - not with the package

            open_transport.load(self._settings)
            self._emitter = Emitter(self.name, self._settings, self._rate, self._on_error, self._model_version)
            return self._emitter

    def __getstate__(self) -> dict[str, Any]:
        """Pools copy collectors to other processes (cloudpickle does so with globals): each loads its own emitter."""
        return self.__dict__ | {"_emitter": None}

    def _report(self, error: Exception) -> None:
        if self._on_error is not None:
            self._on_error(error)
        elif error is not self._refusal or not self._switched_off:
            raise error


def _refusal(name: object, config: CollectorConfig) -> CollectionNameError | NotEnabledError | None:
    """Why frames of this collection are refused; None when they are accepted.

    Where azureml-ai-monitoring has a text for it, the text here is the same.
    """
    if not name:
        return CollectionNameError("collection name is not provided")
    if not isinstance(name, str) or not semconv.is_name(name):
        return CollectionNameError(f"collection name: expected {semconv.NAME_RULE}, got {str(name)[:140]!r}")
    if not config.collects_frames():
        return NotEnabledError("custom logging is not enabled, drop the data")
    entry = config.collection(name)
    if entry is None or not entry.enabled:
        return NotEnabledError(f"collection {name} is not enabled, drop the data")
    return None


def _is_switched_off(name: object, config: CollectorConfig) -> bool:
    """Whether an operator switched this collection off.

    This is intended, so nothing is raised: no code has to change, and scoring goes on; `on_error` is called. A name
    that the configuration does not list is an error and raises, as in Azure's SDK.
    """
    if not isinstance(name, str):
        return False
    entry = config.collection(name)
    return not config.enabled or (entry is not None and not entry.enabled)


def _correlation_id(context: CorrelationContext) -> str:
    given: object = context.get_id()
    if given is None or given == "":
        raise ContextError("expected a correlation context with an id, got one without")
    return checked_text(str(given))
