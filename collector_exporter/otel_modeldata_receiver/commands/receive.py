"""The command `otel-modeldata receive`: runs a receiver; an error becomes one sentence and an exit code."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import textwrap
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from otel_modeldata.memory_hint import keep_freed_memory

from ..config import receiver as configuration
from ..config.unused_secret import unused_secret
from ..hangup import ignore_hangup
from .log_output import start_log
from .missing_package import missing_package
from .store_argument import path_argument, store_argument

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..config.setting import Setting
    from ..server import Server

logger = logging.getLogger(__name__)

_DESCRIPTION: Final = """\
Receive model data over OTLP/gRPC and append it to rolled JSONL blobs in the
layout of Azure ML model monitoring. A request is acknowledged only when
every line of it is durable in the store.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata receive
      listen on 127.0.0.1:4317, where a Collector sends by default, and store
      below ./modeldata
  otel-modeldata receive --listen 127.0.0.1:4327
      beside a gateway, which listens on 4317 and sends to 4327
  otel-modeldata receive --listen 0.0.0.0:4327 --store az://modeldata/prod \\
      --config receiver.yaml
      store in the container modeldata, below prod; TLS and more from a file
  otel-modeldata receive --admin-listen 127.0.0.1:9464
      and serve /livez, /readyz and Prometheus's /metrics there
  otel-modeldata receive --old-protocol-listen 127.0.0.1:50011 \\
      --deployment deployment.yml
      replace Azure's sidecar for an image that holds azureml-ai-monitoring

the configuration file is YAML with these keys; flags win over it:
{keys}
  Only one key of store_access may be set. clients of tls, for example:
    clients: {{gateway: ["*"], "spiffe://corp/credit": [credit/*]}}
  A request for any other deployment is refused as a whole and nothing of it is
  kept. A gateway drops refused requests, so its own certificate needs "*".

read again without a restart:
  the files of tls and the deployment files when they change; tls.clients,
  limits, log_level and log_format at SIGHUP and when the configuration file
  changes; other settings need a restart, which one log line says

environment:
  AZURE_STORAGE_CONNECTION_STRING
      account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL
      the same without a secret; credentials come from the machine's identity,
      which needs the role Storage Blob Data Contributor on the container
  AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_KEY
      a secret of that account, instead of the identity
  AZURE_CLIENT_ID
      which user-assigned identity
  HOSTNAME
      part of the default instance id (Kubernetes sets it to the pod's name)
  OTEL_METRICS_EXPORTER
      otlp or console: send the receiver's own metrics (OTEL_EXPORTER_OTLP_*)

exit codes:
  0  stopped by SIGTERM or SIGINT, every acknowledged line is durable
  2  wrong command line or configuration
  3  the store cannot be used, or the address cannot be listened on
"""
_FLAGS: Final = {
    "listen": "--listen",
    "store": "--store",
    "rolling_rate": "--rolling-rate",
    "instance_id": "--instance-id",
    "linger_ms": "--linger-ms",
    "create_container": "--create-container",
    "http_listen": "--http-listen",
    "old_protocol_listen": "--old-protocol-listen",
    "deployments": "--deployment",
    "limits.backfill": "--backfill",
    "admin_listen": "--admin-listen",
    "allow_insecure": "--allow-insecure",
    "log_level": "--log-level",
    "log_format": "--log-format",
}
"""Settings that have a flag; unset ones are absent from the namespace and leave the file's value as it is."""
_COLUMNS: Final = 80


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `receive` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG.format(keys=_keys())
    parser.argument_default = argparse.SUPPRESS
    parser.add_argument(
        "--config", metavar="FILE", type=path_argument, default=None, help="YAML file with settings, see below"
    )
    for setting in configuration.SETTINGS:
        if setting.key in _FLAGS:
            _add_flag(parser, setting)
    parser.add_argument("--json", action="store_true", default=False, help="print the startup line as JSON")
    parser.set_defaults(run=receive)


def _add_flag(parser: argparse.ArgumentParser, setting: Setting) -> None:
    flag, text = _FLAGS[setting.key], f"{setting.meaning} (default: {setting.default})"
    if setting.default == "false":
        parser.add_argument(flag, dest=setting.key, action="store_true", help=setting.meaning)
    elif setting.unit.startswith("["):
        parser.add_argument(flag, dest=setting.key, action="append", metavar=setting.unit.strip("[]"), help=text)
    else:
        kind = store_argument if setting.key == "store" else str
        unit = setting.unit.upper().replace(" OR ", "|")
        parser.add_argument(flag, dest=setting.key, type=kind, metavar=unit, help=text)


def _keys() -> str:
    """The keys of the configuration file: keys with a flag by name, the others with unit, default and meaning."""
    lines = _wrapped(f"{', '.join(_FLAGS)}: as the flags", "  ")
    shown: set[str] = set()
    for setting in configuration.SETTINGS:
        if setting.key not in _FLAGS and setting.meaning not in shown:
            shown.add(setting.meaning)
            default = setting.default if setting.default == "required" else f"default {setting.default}"
            lines.append(f"  {setting.key}: {setting.unit}, {default}")
            lines += _wrapped(setting.meaning, " " * 6)
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS - 1, initial_indent=indent, subsequent_indent=indent)


def receive(arguments: argparse.Namespace) -> None:
    """Run the receiver until SIGTERM or SIGINT.

    Raises:
        ReceiverError: wrong settings, an unusable store or address.
    """
    ignore_hangup()  # until the receiver can reload: a reload must never end it
    given = {name: getattr(arguments, name) for name in _FLAGS if hasattr(arguments, name)}
    config = configuration.load(arguments.config, given)
    start_log(config.log_level, config.log_format)
    for about in unused_secret(config):
        logger.warning("%s", about)
    # Errors are reported in one sentence here, so gRPC's own log on stderr is off; set the variable to see it.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        if find_spec("aiohttp") is None:  # imported by some listeners only; a missing extra is known at every start
            raise ModuleNotFoundError(name="aiohttp")
        from ..reloading import ConfigFile  # noqa: PLC0415
        from ..server import run  # noqa: PLC0415 (gRPC, the store's client: no help needs them)
        from ..telemetry import start_metrics  # noqa: PLC0415
    except ImportError as error:
        raise missing_package(error, "receiver") from None
    keep_freed_memory()  # allocating it again for the next large request costs more than checking its rows
    exported = start_metrics(config.instance, prometheus=config.admin_listen is not None)

    file = ConfigFile(
        path=arguments.config,
        read=lambda: configuration.load(arguments.config, given),
        changed=lambda renewed: start_log(renewed.log_level, renewed.log_format),
    )
    try:
        _run_loop(
            run(
                config,
                lambda server: _announce(config, server, as_json=arguments.json),
                file=file,
                metrics=exported.prometheus,
            )
        )
    finally:
        ignore_hangup()  # the loop restores the default, which ends the process
        exported.stop()


def _run_loop(main: Coroutine[object, object, None]) -> None:
    """Run `main` on uvloop where it is installed: it takes about a third less time per call."""
    try:
        import uvloop  # noqa: PLC0415 (no wheel for Windows)
    except ImportError:
        import asyncio  # noqa: PLC0415 (slow to import, and no help needs it)

        asyncio.run(main)
    else:
        uvloop.run(main)


def _announce(config: configuration.ReceiverConfig, server: Server, *, as_json: bool) -> None:
    """Print where this receiver listens and stores: one line on stdout, for people or for programs."""
    facts = {"store": config.shown_store, "instance_id": config.instance}
    line = (
        json.dumps({**server.addresses, **facts, "port": server.port})
        if as_json
        else "receiving on {}, storing in {store}, instance {instance_id}".format(
            " and ".join(server.addresses.values()), **facts
        )
    )
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
