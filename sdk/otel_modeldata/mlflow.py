"""MLflow models: collects `model_inputs` and `model_outputs` without a change in any script.

**One switch.** Azure ML has one toggle for the collection of an MLflow model's data. Here it is the command
`opentelemetry-instrument`:

```console
opentelemetry-instrument mlflow models serve -m MODEL --env-manager local
opentelemetry-instrument python batch_scoring.py
```

Every `mlflow.pyfunc` model in that process, and in the server that `mlflow models serve` starts, is collected. Without
that command, call `otel_modeldata.mlflow.autolog()`, or `collect_predictions(model)` for one model. The configuration
decides what is collected (`config.py`): both collections, unless a deployment YAML switches them off or lists only
others. `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=otel_modeldata_mlflow` switches this module off. If the application makes
a `Collector` named `model_inputs` or `model_outputs` itself, automatic collection is disabled: nothing is collected
twice.

**What is collected.** For each outermost call of `predict` or `predict_stream`: the input, before the model runs (so
the input of a failing call is collected, too), and the output. Both have one correlation id: the current one of the
request, or a new one, which is current while the model runs. `_mlflow/to_dataframe.py` has the rules that turn values
into frames. Input columns without names get those of the model's signature; output columns are `0`, `1`... A stream is
collected at its end. A value without rows is logged once. The line key `modelversion` names the model's version
(`_mlflow/model_version.py`). Evaluations (`mlflow.genai.evaluate`) and calls that MLflow makes while it logs a model
are not collected.

**What never changes.** A model returns the same object, raises the same exceptions, and is pickled and saved as before:
the `predict` methods of its class are wrapped, the model itself is not changed. Errors of collecting never reach the
caller.

`mlflow models serve` runs its server in a separate process. With `--env-manager local` that process has the same
packages; with any other value, add `otel-modeldata` and `opentelemetry-distro` to the model's requirements.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import os
import sys
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ._mlflow.model_version import ByIdentity, registered_version, version_of
from ._mlflow.predictions import Predictions
from .lifecycle import flush

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import ModuleType

logger = logging.getLogger(__name__)

__all__ = ["MlflowInstrumentor", "autolog", "collect_predictions"]

_PYFUNC = "mlflow.pyfunc"
_SERVER = "mlflow.pyfunc.scoring_server"
_METHODS = ("predict", "predict_stream")
_LAST_SECONDS = 10.0
"""How long the shutdown of MLflow's server waits for deliveries: within the 30 s grace period of Kubernetes."""
_LOGGING_A_MODEL = "_MLFLOW_IN_CAPTURE_MODULE_PROCESS"
"""MLflow sets it to true in a process that runs a model only to find its imports."""

M = TypeVar("M")


class _Switch:
    """Which models are collected in this process, and which classes are wrapped for that."""

    def __init__(self) -> None:
        self.every_model = False
        self.chosen: ByIdentity[bool] = ByIdentity()
        self.registered: ByIdentity[str] = ByIdentity()
        self.classes: set[type] = set()
        self.predictions = Predictions(self.collects, lambda model: version_of(model, self.registered))

    def collects(self, model: object) -> bool:
        """Whether a call of this model is collected."""
        if not self.every_model and not self.chosen.recall(model):
            return False
        return os.environ.get(_LOGGING_A_MODEL, "").lower() != "true" and not _is_evaluation()


_switch = _Switch()


def autolog(*, disable: bool = False) -> None:
    """Start or stop collecting the inputs and outputs of every `mlflow.pyfunc` model of this process.

    Args:
        disable: stop. Models passed to `collect_predictions` are still collected.

    Raises:
        ImportError: MLflow is not installed.
    """
    _switch.every_model = not disable
    if not disable:
        _prepare(_import_pyfunc())


def collect_predictions(model: M) -> M:
    """Collect the inputs and outputs of one model.

    Args:
        model: what `mlflow.pyfunc.load_model` returned.

    Returns:
        The same object.

    Raises:
        ImportError: MLflow is not installed.
        TypeError: `model` is not a pyfunc model.
    """
    pyfunc = _import_pyfunc()
    if not isinstance(model, pyfunc.PyFuncModel):
        raise TypeError(
            f"expected a model that mlflow.pyfunc.load_model returned, got {type(model).__name__}: "
            "load it as a pyfunc model, or collect with a Collector"
        )
    _prepare(pyfunc)
    _wrap_methods(_owner(type(model), "predict"))  # a subclass, if the model has one
    _switch.chosen.remember(model, True)
    return model


class MlflowInstrumentor:
    """Used by `opentelemetry-instrument`: calls `autolog` when, and if, the process imports MLflow."""

    def instrument(self, **_: object) -> None:
        """Switch on; without MLflow nothing happens."""
        _switch.every_model = True
        wrapt = importlib.import_module("wrapt")  # opentelemetry-instrumentation depends on it
        wrapt.register_post_import_hook(_prepare, _PYFUNC)
        wrapt.register_post_import_hook(_prepare_server, _SERVER)

    def uninstrument(self, **_: object) -> None:
        """Switch off."""
        autolog(disable=True)


def _import_pyfunc() -> ModuleType:
    try:
        return importlib.import_module(_PYFUNC)
    except ModuleNotFoundError as error:
        raise ImportError("expected MLflow to be installed, it is not: pip install mlflow") from error


def _prepare(pyfunc: ModuleType) -> None:
    """Wrap the classes and functions of MLflow, once; `_switch` decides at each call."""
    if pyfunc.PyFuncModel not in _switch.classes:
        _wrap_methods(pyfunc.PyFuncModel)
        pyfunc.load_model = _remembering(pyfunc.load_model)  # type: ignore[attr-defined] # it has one


def _prepare_server(scoring_server: ModuleType) -> None:
    """Deliver at the end of the server's lifespan, because SIGTERM then ends uvicorn without `atexit`."""
    make_app = scoring_server.init

    @functools.wraps(make_app)
    def init(*args: Any, **kwargs: Any) -> Any:
        app = make_app(*args, **kwargs)
        router: Any = getattr(app, "router", None)
        if (lifespan := getattr(router, "lifespan_context", None)) is not None:
            router.lifespan_context = _delivering(lifespan)
        return app

    scoring_server.init = init  # type: ignore[attr-defined] # it has one


def _delivering(lifespan: Callable[[Any], AbstractAsyncContextManager[Any]]) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def delivering(app: Any) -> AsyncIterator[Any]:
        async with lifespan(app) as state:
            yield state
        await asyncio.to_thread(flush, _LAST_SECONDS)

    return delivering


def _wrap_methods(owner: type) -> None:
    if owner in _switch.classes:
        return
    _switch.classes.add(owner)
    for name, wrap in zip(_METHODS, (_switch.predictions.wrap, _switch.predictions.wrap_stream), strict=True):
        if name in vars(owner):
            setattr(owner, name, wrap(vars(owner)[name]))


def _owner(kind: type, method: str) -> type:
    return next(owner for owner in kind.__mro__ if method in vars(owner))


def _remembering(load_model: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `load_model` to remember the registered version, which the model does not store."""

    @functools.wraps(load_model)
    def remembering(model_uri: Any, *args: Any, **kwargs: Any) -> Any:
        model = load_model(model_uri, *args, **kwargs)
        try:
            version = registered_version(str(model_uri))
        except Exception as error:  # noqa: BLE001 - error boundary to scoring: a model must load with any content of its folder
            logger.warning("the registered version of %s is not known: %s", model_uri, error)
        else:
            if version is not None:
                _switch.registered.remember(model, version)
        return model

    return remembering


def _is_evaluation() -> bool:
    context = sys.modules.get("mlflow.pyfunc.context")
    current = None if context is None else context.get_prediction_context()
    return bool(getattr(current, "is_evaluate", False))
