"""`Settings`: everything that the SDK reads from the environment of a process, read once and passed down.

`read_environment` is the one function that reads it: for collectors, payload logging, MLflow, `otel-modeldata check
--environment` and `doctor`. It opens files, and it contacts nothing and writes nothing. What has to be tried
(`open_transport.check`) is tried with its result. Nothing is read first by the first `collect`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from ..config import CollectorConfig, config_origin, config_warnings, load_config
from ..exceptions import ConfigError
from .column_case import load_column_case
from .delivery import DeliverySettings, check_folders, load_settings
from .otlp_endpoint import Endpoint, endpoint_warnings, load_endpoint, name_set
from .payload import PayloadSettings, load_payload_settings
from .sender import Sender, load_sender
from .store import load_store
from .variables import misspelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..validation.problems import Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The validated settings of a process.

    Attributes:
        config: what is collected.
        destination: the endpoint that records are sent to, or the URL of the store that this process writes itself; a
            URL may hold a secret, hence not in `repr`.
        delivery: how records wait.
        payload: what payload logging keeps.
        sender: the resource of this process, and the names of its endpoint and deployment.
        rename_columns: whether columns that are equal up to case get names of their own.
        warnings: values that are accepted, but probably not meant.
    """

    config: CollectorConfig
    destination: Endpoint | str = field(repr=False)
    delivery: DeliverySettings
    payload: PayloadSettings
    sender: Sender
    rename_columns: bool = False
    warnings: tuple[Problem, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read every variable.

        Args:
            environ: variables by name; the environment of this process when missing.

        Raises:
            ConfigError: lists everything that is wrong.
        """
        read = read_environment(environ)
        destination = read.store or read.endpoint
        parts = (read.config, destination, read.delivery, read.payload, read.sender)
        if read.problems or any(part is None for part in parts):
            raise ConfigError(*read.problems)
        assert read.config and destination and read.delivery and read.payload and read.sender  # noqa: PT018, S101
        return cls(
            config=read.config,
            destination=destination,
            delivery=read.delivery,
            payload=read.payload,
            sender=read.sender,
            rename_columns=read.rename_columns,
            warnings=read.warnings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The settings of a process, for diagnostics: a part with errors is None.

    Attributes:
        config: what is collected.
        config_origin: the variable that it comes from, with its value; "defaults" when there is none.
        store: the store that this process writes itself; its URL may hold a secret, hence not in `repr`.
        endpoint: where records are sent; None with a store.
        delivery: how records wait.
        payload: what payload logging keeps.
        sender: the resource of this process, and the names of its endpoint and deployment.
        problems: everything that is wrong.
        warnings: values that are accepted, but probably not meant.
        misspelled: variables that are not read and look like one of the SDK's.
        rename_columns: whether columns that are equal up to case get names of their own.
    """

    config: CollectorConfig | None
    config_origin: str
    store: str | None = field(repr=False)
    endpoint: Endpoint | None
    delivery: DeliverySettings | None
    payload: PayloadSettings | None
    sender: Sender | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    misspelled: tuple[Problem, ...]
    rename_columns: bool = False

    @property
    def spool(self) -> Path | None:
        """The folder in which records wait; None keeps them in memory."""
        spool = None if self.delivery is None else self.delivery.spool
        return None if spool is None else spool.folder


def read_environment(environ: Mapping[str, str] | None = None, *, is_local: bool = True) -> Environment:
    """Read every variable as `Collector` does, without raising.

    Args:
        environ: variables by name; the environment of this process when missing.
        is_local: whether files and folders in the variables are on this machine, so that they are checked.
    """
    env = os.environ if environ is None else environ
    config, wrong_config = _attempted(lambda: load_config(env))
    delivery, wrong_delivery = _attempted(lambda: load_settings(env))
    if delivery is not None and is_local:
        wrong_delivery = _attempted(lambda: check_folders(delivery))[1]
    payload, wrong_payload = _attempted(lambda: load_payload_settings(env))
    rename_columns, wrong_case = _attempted(lambda: load_column_case(env))
    store, wrong_store = _attempted(lambda: load_store(env))
    endpoint: Endpoint | None = None
    wrong_endpoint: tuple[Problem, ...] = ()
    if store is None and not wrong_store:
        endpoint, wrong_endpoint = _attempted(lambda: _endpoint(env, is_local=is_local))
    sender, wrong_sender = _attempted(lambda: load_sender(config or CollectorConfig(), environ))
    return Environment(
        config=config,
        config_origin=config_origin(env),
        store=store,
        endpoint=endpoint,
        delivery=delivery,
        payload=payload,
        sender=sender,
        problems=(
            *(*wrong_config, *wrong_delivery, *wrong_payload, *wrong_case),
            *(*wrong_store, *wrong_endpoint, *wrong_sender),
        ),
        warnings=(
            *(() if config is None else config_warnings(config, config_origin(env))),
            *(() if endpoint is None else endpoint_warnings(endpoint, env)),
            *(() if sender is None else sender.warnings),
        ),
        misspelled=misspelled(env),
        rename_columns=bool(rename_columns),
    )


def _endpoint(env: Mapping[str, str], *, is_local: bool) -> Endpoint:
    endpoint = load_endpoint(env)
    if not is_local or not endpoint.files():
        return endpoint
    try:
        return endpoint.checked()
    except ConfigError as error:
        raise ConfigError(*(replace(one, path=name_set(env, one.path)) for one in error.problems)) from None


def _attempted(load: Callable[[], T]) -> tuple[T | None, tuple[Problem, ...]]:
    try:
        return load(), ()
    except ConfigError as error:
        return None, error.problems
