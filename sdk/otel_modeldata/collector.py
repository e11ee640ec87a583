"""`Collector`: the class that score.py uses.

A drop-in replacement for `azureml.ai.monitoring.Collector`: change `azureml.ai.monitoring` in the import to
`otel_modeldata`. `import otel_modeldata` imports neither pandas nor gRPC nor the OpenTelemetry SDK. `Collector(...)`
loads the rest of the package if the program has imported pandas, else the first `collect` does.

A copy (pickle, joblib, cloudpickle, `copy.deepcopy`, the arguments of a pool) has what the caller passed, and nothing
of the environment: a model file carries neither the settings of the machine that wrote it nor its secrets.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

from . import _baggage, _forking, semconv
from ._delivery import metrics, open_transport
from ._delivery import process as _process
from ._delivery.ending.hooks import install_hooks
from ._delivery.on_error import call_on_error
from ._delivery.process import current_process
from ._settings.column_case import load_column_case
from ._settings.delivery import load_settings
from ._settings.enabled_collections import is_switched_off, misspelled, refusal_of
from ._settings.settings import Settings
from .config import config_origin, config_warnings, load_config
from .context import (
    BasicCorrelationContext,
    CorrelationContext,
    WrapperContext,
    checked_text,
    known_context,
    read_current,
)
from .exceptions import ConfigError, ContextError, NotEnabledError, UnsupportedDataError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from opentelemetry._logs import LoggerProvider

    from ._emitter import FrameEmitter

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
            `collect` for errors known there, by a delivery thread for events that are lost later and for credentials
            that the endpoint does not accept, one call at a time. What it raises is logged and goes no further,
            `SystemExit` and `KeyboardInterrupt` included; one that a signal handler raises while it runs is raised. It
            may call `collect`, `flush` and `shutdown`: their errors are logged, not given to it again.
        model_version: the line key `modelversion`; `default` when missing, the value that Azure's collector always
            writes.
        logger_provider: a LoggerProvider of the application, which then sends the records instead of the SDK; the
            `OTEL_EXPORTER_OTLP_*` and the queue's variables have no effect on this collector, and `flush`, `shutdown`
            and their reports do not include its events.

    A pickled collector keeps these arguments only. Where it is loaded, its first `collect` reads the environment of
    that process: where events go, their names, what is collected. What is wrong there is an error of `collect`, not of
    loading, because a program may need the model alone.

    Raises:
        ConfigError: the configuration, the endpoint or `model_version` is wrong; always raised, never given to
            `on_error`, because nothing could ever be collected.
        CollectionNameError: `name` is empty or cannot be a folder (or given to `on_error`).
        NotEnabledError: the configuration lists other collections only (or given to `on_error`).
        TypeError: `on_error` cannot be called, or `logger_provider` is none.
    """

    _settings: Settings
    """Not with `logger_provider`."""

    def __init__(
        self,
        *,
        name: str,
        on_error: Callable[[Exception], Any] | None = None,
        model_version: str | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> None:
        if on_error is not None and not callable(on_error):
            raise TypeError(
                f"expected a function in on_error, got {type(on_error).__name__}: it is called with each error"
            )
        is_class = isinstance(logger_provider, type)
        if logger_provider is not None and (is_class or not callable(getattr(logger_provider, "get_logger", None))):
            got = repr(logger_provider) if is_class else type(logger_provider).__name__
            raise TypeError(
                f"expected an OpenTelemetry LoggerProvider in logger_provider, got {got}: "
                "opentelemetry.sdk._logs has one"
            )
        if semconv.CONTROL_CHARACTER.search(str(model_version)):
            raise ConfigError(
                f"expected model_version without control characters, got {model_version!r:.100}: strip it"
            )
        self.name = name
        self._on_error = on_error
        self._model_version = model_version or semconv.DEFAULT_MODEL_VERSION
        self._logger_provider = logger_provider
        self._begin(is_copy=False)
        # Errors are raised now, in init(), not in the first scoring request.
        self._read_environment()
        if self._refusal is not None:
            self._report(self._refusal)
        elif logger_provider is None and "pandas" in sys.modules:
            # Now, not in the first request, nor in a thread that outlives the main one, when Python refuses imports.
            self._load()

    def _begin(self, *, is_copy: bool) -> None:
        """Be a collector that has not read the environment."""
        application_names.add(str(self.name))
        self._is_copy = is_copy
        self._is_debug = self._switched_off = False
        self._rate = 1.0
        self._refusal: Exception | None = None
        self._repeated_ids = _RepeatedIds(str(self.name), self._rate)
        self._emitter: FrameEmitter | None = None

    def _read_environment(self) -> None:
        """Read and try everything that depends on this process.

        Raises:
            ConfigError: something of it is wrong.
        """
        metrics.register_once()
        if self._logger_provider is None:
            with _forking.guard:  # OpenTelemetry's resource is loaded here
                self._settings = Settings.from_env()
            self._config = self._settings.config
            self._rename_columns = self._settings.rename_columns
            open_transport.check(self._settings)
            install_hooks(on_sigterm=self._settings.delivery.on_sigterm)
        else:
            self._config = load_config()
            open_transport.log_once(config_warnings(self._config, config_origin(os.environ)))
            self._rename_columns = load_column_case(os.environ)
        self._is_debug = self._config.debug
        self._rate = self._config.rate_of(str(self.name))
        self._refusal = refusal_of(self.name, self._config)
        open_transport.log_once(misspelled(self.name, self._config, config_origin(os.environ)))
        self._switched_off = self._refusal is not None and is_switched_off(self.name, self._config)
        self._repeated_ids = _RepeatedIds.of(str(self.name), self._rate)
        if self._switched_off:
            logger.info("collection %s is switched off: its frames are dropped", self.name)

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
            ConfigError: the same, in a collector that was loaded from a file: see the class.
        """
        # In one function, because a call costs more than what it does when a process just woke up.
        context: CorrelationContext | None = None
        message = _ACCEPTED
        try:
            if self._is_copy:
                self._open_copy()
            if correlation_context is not None or read_current() is not None or _baggage.get_context():
                context = known_context(correlation_context)
            is_new = context is None
            if context is None:
                context = new = BasicCorrelationContext()
                correlation_id = new.id  # a UUID: it needs no check, and no other frame has it
            if self._refusal is not None:
                # Not the object itself: an error that is raised again keeps every frame that it was raised for.
                raise copy(self._refusal)  # noqa: TRY301 - a function for it would be one more call of each frame
            if not is_new:
                correlation_id = self._id_of(context, is_given=correlation_context is not None)
            if self._rate < 1 and not semconv.is_sampled(correlation_id, self._rate):
                metrics.count_sampled_out(self.name)
                message = _NOT_SAMPLED
            elif _process.current is None and _forking.holds_guard():
                self._collect_later(data, context)
            else:
                emitter = self._emitter or self._make_emitter(data)
                emitter.emit(data, correlation_id, context, is_new=is_new)
                if _early_frames:
                    _collect_early_frames()
        except Exception as error:  # noqa: BLE001 - error boundary to scoring: with on_error none is raised
            message = str(error)
            metrics.count_refused(self.name, error)
            self._report(error)
        context = context or BasicCorrelationContext()
        if self._is_debug:
            return WrapperContext(context, message == _ACCEPTED, message)
        return context

    def _id_of(self, context: CorrelationContext, *, is_given: bool) -> str:
        """The id of a context that was not made for this frame."""
        correlation_id = _correlation_id(context)
        slot, recent = hash(correlation_id) % _SLOTS, self._repeated_ids.recent
        if recent[slot] == correlation_id:
            self._repeated_ids.count(slot, correlation_id, context if is_given else None)
        else:
            recent[slot] = correlation_id
        return correlation_id

    def _collect_later(self, data: pd.DataFrame, context: CorrelationContext) -> None:
        """A signal handler has interrupted this thread, which starts the delivery side."""
        if not isinstance(data, getattr(sys.modules.get("pandas"), "DataFrame", ())):
            raise UnsupportedDataError(data)
        _early_frames.append((self, data.copy(deep=True), context))

    def _make_emitter(self, data: object) -> FrameEmitter:
        if "pandas" not in sys.modules:  # then `data` cannot be a DataFrame: pandas need not be loaded
            raise UnsupportedDataError(data)
        return self._load()

    def _load(self) -> FrameEmitter:
        """Load the heavy part of the package; a fork waits for it, else its child would have half-imported modules."""
        with _forking.guard:
            from ._emitter import Emitter, LoggerEmitter  # noqa: PLC0415 - not with the package

            emitter: FrameEmitter
            if self._logger_provider is None:
                open_transport.load(self._settings)
                emitter = Emitter(self.name, self._settings, self._rate, self._on_error, self._model_version)
            else:
                emitter = LoggerEmitter(
                    self.name,
                    self._config,
                    self._rate,
                    self._model_version,
                    self._logger_provider,
                    rename_columns=self._rename_columns,
                )
            self._emitter = emitter
            return emitter

    def __getstate__(self) -> dict[str, Any]:
        """What the caller passed, and what a subclass added."""
        return {name: value for name, value in vars(self).items() if name not in _OF_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read nothing that can fail: the first `collect` does."""
        vars(self).update((name, value) for name, value in state.items() if name not in _OF_PROCESS)
        self._begin(is_copy=True)
        if self._logger_provider is None:
            with contextlib.suppress(ConfigError):
                # Now, because the first `collect` may come from a thread, which cannot handle signals.
                install_hooks(on_sigterm=load_settings(os.environ).on_sigterm)

    def _open_copy(self) -> None:
        """Read the environment of this process, in the first `collect` of a copy."""
        if _process.current is None and _forking.holds_guard():
            return  # in a signal handler: this frame is collected later
        with _forking.guard:
            if self._is_copy:
                try:
                    self._read_environment()
                except ConfigError as error:
                    self._refusal = copy(error)  # without the frames of this call
                self._is_copy = False  # last: other threads read it without the lock

    def _report(self, error: Exception) -> None:
        if self._on_error is not None:
            call_on_error(self._on_error, error)
        elif not self._switched_off or not isinstance(error, NotEnabledError):
            raise error


class _RepeatedIds:
    """Warns once if collectors of one name get one correlation id for many requests.

    Frames of one request share an id: they come within a moment, with one context object. What counts as another
    request is another object, or another second.
    """

    _shared: ClassVar[tuple[str, dict[tuple[str, float], _RepeatedIds]]] = ("", {})
    """By name and rate, for the process whose producer id it is: a service may make a collector for each request."""

    def __init__(self, collection: str, rate: float) -> None:
        self.recent = [""] * _SLOTS
        self._collection = collection
        self._rate = rate
        self._of_slot: dict[int, _Repeated] = {}
        self._is_logged = False

    @classmethod
    def of(cls, collection: str, rate: float) -> _RepeatedIds:
        """The one that all collectors of this process with this name and rate share."""
        process = current_process()
        producer = "" if process is None else process.producer
        of_producer, known = cls._shared
        if producer != of_producer:
            known = {} if of_producer else known  # the first collectors are made before delivery starts
            cls._shared = (producer, known)
        if len(known) >= _MOST_COLLECTIONS and (collection, rate) not in known:
            return cls(collection, rate)
        return known.setdefault((collection, rate), cls(collection, rate))

    def count(self, slot: int, correlation_id: str, context: CorrelationContext | None) -> None:
        """Count a frame whose id came before; `context` is None if the caller gave none."""
        if self._is_logged:
            return
        now = time.monotonic()
        found = self._of_slot.get(slot)
        if found is None or found.id != correlation_id:
            found = self._of_slot[slot] = _Repeated(correlation_id, context, now)
        found.frames += 1
        if (context is not None and context is not found.context) or now - found.since > _MOMENT_SECONDS:
            found.requests += 1
            found.context, found.since = context, now
        if found.requests >= _MANY_REQUESTS or found.frames >= _MANY_FRAMES:
            self._is_logged = True
            self._log(correlation_id)

    def _log(self, correlation_id: str) -> None:
        sampled = f"sampling at {self._rate} decides by it, so all of these are collected or none, and "
        logger.warning(
            "collection %s: expected a correlation id for each request, got %.80r again and again: %stheir rows have "
            "the same row ids, %.80s_0 and so on; give each request its own id, or no context",
            self._collection,
            correlation_id,
            sampled if self._rate < 1 else "",
            correlation_id,
        )


class _Repeated:
    """An id that came more than once: its requests and frames, and the last request's context and time."""

    __slots__ = ("context", "frames", "id", "requests", "since")

    def __init__(self, correlation_id: str, context: CorrelationContext | None, since: float) -> None:
        self.id = correlation_id
        self.context = context
        self.since = since
        self.requests = self.frames = 1


_OF_PROCESS = frozenset((
    "_config", "_emitter", "_is_copy", "_is_debug", "_rate", "_refusal", "_rename_columns", "_repeated_ids",
    "_settings", "_switched_off",
))  # fmt: skip
"""What a collector has of its process, and no copy of it: the settings have secrets."""

_SLOTS = 64
"""How many ids are remembered, each in the slot of its hash: threads may have one constant id each."""
_MOST_COLLECTIONS = 256
"""How many names are remembered."""
_MOMENT_SECONDS = 1.0
"""Frames of one request are closer in time."""
_MANY_REQUESTS = 5
"""More than a client repeats a request."""
_MANY_FRAMES = 50
"""More than one request has, even if it is collected in parts."""


_early_frames: deque[tuple[Collector, pd.DataFrame, CorrelationContext]] = deque()
"""What a signal handler collected while the thread that it interrupted started the delivery side: half-imported modules
cannot be used, so these frames are collected at the end of the next `collect`."""


def _collect_early_frames() -> None:
    while _early_frames:
        collector, frame, context = _early_frames.popleft()
        collector.collect(frame, context)


def _correlation_id(context: CorrelationContext) -> str:
    given: object = context.get_id()
    if given is None or given == "":
        raise ContextError(
            "expected a correlation context with an id, got one without: its get_id() must return the request's id"
        )
    text = str(given)
    return text if text.isprintable() else checked_text(text)  # the usual case without a call
