"""MLflow models: `model_inputs` and `model_outputs` without a line in any script.

**One switch.** Azure ML has one toggle for the collection of an MLflow model's data. Here it is the word
`opentelemetry-instrument` before the command:

```console
opentelemetry-instrument mlflow models serve -m MODEL --env-manager local
opentelemetry-instrument python batch_scoring.py
```

Every `mlflow.pyfunc` model in that process, and in the server that `mlflow models serve` starts, is collected. Without
OpenTelemetry's command `otel_modeldata.mlflow.autolog()` does the same, `collect_predictions(model)` for one model.
What is collected is up to the configuration, as everywhere (`config.py`): both collections, unless a deployment YAML
switches them off or lists others only. `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=otel_modeldata_mlflow` switches off.
Where the application makes a `Collector` named `model_inputs` or `model_outputs` itself, that one collects and this
module stands back: nothing is collected twice.

**What is collected.** For each outermost call of `predict` or `predict_stream`: its input as the caller gave it, before
the model runs (so the input of a failing call is there, too), and its output, under one correlation id: the current one
of the request, or a new one, which is in force while the model runs. `_mlflow/to_dataframe.py` says how values become
frames; columns without names get those of the model's signature, outputs `0`, `1`... A stream is collected when it has
come to its end. What has no rows is told once in the log. The line key `modelversion` says which model it was
(`_mlflow/model_version.py`). Not collected are evaluations (`mlflow.genai.evaluate`) and what MLflow runs while it logs
a model.

**What never changes.** A model returns the same object, raises the same exceptions, is pickled and saved as before:
its class gets other `predict` methods, the model itself is not touched. No error of collecting reaches its caller.

`mlflow models serve` runs its server in a process of its own. With `--env-manager local` that process has the same
packages; for any other, put `otel-modeldata` and `opentelemetry-distro` into the model's requirements.
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
"""How long the end of MLflow's server waits for deliveries: within the 30 s grace period of Kubernetes."""
_LOGGING_A_MODEL = "_MLFLOW_IN_CAPTURE_MODULE_PROCESS"
"""MLflow sets it to true in the process in which it tries a model to find out what it imports."""

M = TypeVar("M")


class _Switch:
    """What is collected in this process, and what was changed for it."""

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
    """Collect the inputs and outputs of every `mlflow.pyfunc` model of this process, or stop that.

    Args:
        disable: stop; what `collect_predictions` chose goes on.

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
        TypeError: it is no such model.
    """
    pyfunc = _import_pyfunc()
    if not isinstance(model, pyfunc.PyFuncModel):
        raise TypeError(
            f"expected a model that mlflow.pyfunc.load_model returned, got {type(model).__name__}: "
            "load it as a pyfunc model, or collect with a Collector"
        )
    _prepare(pyfunc)
    _wrap_methods(_owner(type(model), "predict"))  # a class of its own where the model has one
    _switch.chosen.remember(model, True)
    return model


class MlflowInstrumentor:
    """What `opentelemetry-instrument` switches on: `autolog`, as soon as the process imports MLflow, if ever."""

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
    """Change the classes and functions of MLflow, once; the switch decides at each call."""
    if pyfunc.PyFuncModel not in _switch.classes:
        _wrap_methods(pyfunc.PyFuncModel)
        pyfunc.load_model = _remembering(pyfunc.load_model)  # type: ignore[attr-defined] # it has one


def _prepare_server(scoring_server: ModuleType) -> None:
    """Change MLflow's server: uvicorn ends by SIGTERM, which delivers nothing unless the end of the lifespan does."""
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
    """`load_model`, remembering the registered version: the model does not know where it came from."""

    @functools.wraps(load_model)
    def remembering(model_uri: Any, *args: Any, **kwargs: Any) -> Any:
        model = load_model(model_uri, *args, **kwargs)
        try:
            version = registered_version(str(model_uri))
        except Exception as error:  # noqa: BLE001 - the edge to scoring: a model must load whatever its folder holds
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
