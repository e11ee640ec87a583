"""`Settings`: everything that the SDK reads from the environment of a process, read once and passed down."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..config import CollectorConfig, config_origin, load_config
from ..exceptions import ConfigError
from ..validation.pasted import pasted
from .column_case import load_column_case
from .delivery import DeliverySettings, load_settings
from .otlp_endpoint import Endpoint, load_endpoint
from .payload import PayloadSettings, load_payload_settings
from .variables import STORE, misspelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..validation.problems import Problem

T = TypeVar("T")

_NO_FOLDER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[$%<{~\"'`\\]")
"""The beginning of a URL, and of what is no path as it is; the transport reads it, and refuses it where it must."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The validated settings of a process.

    Attributes:
        config: what is collected.
        destination: the endpoint that records are sent to, or the URL of the store that this process writes itself; a
            URL may hold a secret, hence not in `repr`.
        delivery: how records wait.
        payload: what payload logging keeps.
        rename_columns: whether columns that are equal up to case get names of their own.
    """

    config: CollectorConfig
    destination: Endpoint | str = field(repr=False)
    delivery: DeliverySettings
    payload: PayloadSettings
    rename_columns: bool = False

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
        if read.config is None or destination is None or read.delivery is None or read.payload is None:
            raise ConfigError(*read.problems)
        return cls(
            config=read.config,
            destination=destination,
            delivery=read.delivery,
            payload=read.payload,
            rename_columns=read.rename_columns,
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
        problems: everything that is wrong.
        misspelled: variables that are not read and look like one of the SDK's.
        rename_columns: whether columns that are equal up to case get names of their own.
    """

    config: CollectorConfig | None
    config_origin: str
    store: str | None = field(repr=False)
    endpoint: Endpoint | None
    delivery: DeliverySettings | None
    payload: PayloadSettings | None
    problems: tuple[Problem, ...]
    misspelled: tuple[Problem, ...]
    rename_columns: bool = False

    @property
    def spool(self) -> Path | None:
        """The folder in which records wait; None keeps them in memory."""
        spool = None if self.delivery is None else self.delivery.spool
        return None if spool is None else spool.folder


def read_environment(environ: Mapping[str, str] | None = None) -> Environment:
    """Read every variable as `Collector` does, without raising."""
    env = os.environ if environ is None else environ
    store = _store(env)
    config, wrong_config = _attempted(lambda: load_config(env))
    delivery, wrong_delivery = _attempted(lambda: load_settings(env))
    payload, wrong_payload = _attempted(lambda: load_payload_settings(env))
    rename_columns, wrong_case = _attempted(lambda: load_column_case(env))
    endpoint, wrong_endpoint = (None, ()) if store else _attempted(lambda: load_endpoint(env))
    return Environment(
        config=config,
        config_origin=config_origin(env),
        store=store,
        endpoint=endpoint,
        delivery=delivery,
        payload=payload,
        problems=(*wrong_config, *wrong_delivery, *wrong_payload, *wrong_case, *wrong_endpoint),
        misspelled=misspelled(env),
        rename_columns=bool(rename_columns),
    )


def _store(env: Mapping[str, str]) -> str | None:
    """The store, as an absolute path where it is a folder: the program may change its working directory."""
    text = pasted(env.get(STORE.name, ""))
    if not text or _NO_FOLDER.match(text) is not None:
        return text or None
    return str(Path(text).absolute())


def _attempted(load: Callable[[], T]) -> tuple[T | None, tuple[Problem, ...]]:
    try:
        return load(), ()
    except ConfigError as error:
        return None, error.problems
