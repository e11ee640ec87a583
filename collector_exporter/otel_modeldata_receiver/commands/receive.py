"""The command `otel-modeldata receive`: settings to a running receiver, errors to one sentence and an exit code."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata.memory_hint import keep_freed_memory

from .. import telemetry
from ..config import receiver as configuration
from ..exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..server import Server
    from .subparsers import Commands

_DESCRIPTION: Final = """\
Receive model data over OTLP/gRPC and append it to rolled JSONL blobs in the layout of Azure ML model monitoring.
A request is acknowledged when every line of it is durable in the store, and not before.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata receive
      listen on 127.0.0.1:4327, store below ./modeldata
  otel-modeldata receive --listen 0.0.0.0:4327 --store az://modeldata/prod --config receiver.yaml
      store in the container modeldata, below prod; further settings from a file
  otel-modeldata receive --old-protocol-listen 127.0.0.1:50011 --deployment deployment.yml
      take the place of Azure's sidecar for an image that holds azureml-ai-monitoring

the configuration file is YAML with these keys; flags win over it:
  listen, store, rolling_rate, instance_id, linger_ms, max_in_flight_bytes, max_message_bytes, deadline_seconds,
  grace_seconds, create_container, spans, tls: {cert_file, key_file, client_ca_file, clients},
  http_listen, old_protocol_listen, old_protocol: {endpoint, deployment, resource_id},
  store_access: {identity: {client_id}} or {sas_file}, {account_key_file}, {connection_string_file},
  deployments: [FILE|DIR], datastores: {NAME: URL or {url, identity, sas_file, ...}},
  workspace: {subscription_id, resource_group, name}, assets

  tls.clients says what a client's certificate may send for, by its common name or a DNS or URI entry of it:
    clients: {gateway: ["*"], "spiffe://corp/credit": [credit/*], pod-7: [fraud/blue, fraud/green]}
  A request for any other deployment is refused whole and nothing of it is kept. A gateway drops what it is refused,
  so its own certificate needs "*". The three files are read again when they change; clients needs a restart.

environment:
  AZURE_STORAGE_CONNECTION_STRING  account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL        the same without a secret; credentials come from the machine's identity, which needs
                                   the role Storage Blob Data Contributor on the container
  AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_KEY  a secret of that account, instead of the identity
  AZURE_CLIENT_ID                  which user-assigned identity
  HOSTNAME                         part of the default instance id (Kubernetes sets it to the pod's name)
  OTEL_METRICS_EXPORTER            otlp or console: send the receiver's own metrics (OTEL_EXPORTER_OTLP_* apply)

exit codes:
  0  stopped by SIGTERM or SIGINT, everything acknowledged is durable
  2  wrong command line or configuration
  3  the store cannot be used, or the address cannot be listened on
"""
_FLAGS: Final = (
    *("listen", "http_listen", "old_protocol_listen", "store", "rolling_rate", "instance_id", "linger_ms"),
    "create_container",
    "deployments",
)
"""Flags that are settings; unset ones are absent from the namespace and leave the file's value alone."""


def add_parser(commands: Commands) -> None:
    """Add `receive` to the command line."""
    parser = commands.add_parser(
        "receive",
        help="receive OTLP logs and store them as lines",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--listen", metavar="HOST:PORT", help="address to listen on (default 127.0.0.1:4327)")
    parser.add_argument("--store", metavar="URL", help="where blobs go (default ./modeldata)")
    parser.add_argument(
        "--http-listen", metavar="HOST:PORT", help="take OTLP/HTTP and KServe's logger there, e.g. 127.0.0.1:4318"
    )
    parser.add_argument(
        "--old-protocol-listen",
        metavar="HOST:PORT",
        help="take what azureml-ai-monitoring sends there, e.g. 127.0.0.1:50011",
    )
    parser.add_argument("--config", metavar="FILE", type=Path, default=None, help="YAML file with settings")
    parser.add_argument(
        "--rolling-rate", metavar="RATE", help="Minute, Hour, Day, Month or Year (default: the deployment's, or Hour)"
    )
    parser.add_argument("--instance-id", metavar="HEX", help="32 hex digits of this replica (default: from the host)")
    parser.add_argument(
        "--linger-ms", metavar="N", help="let lines wait for others before an append (default 0, for Azure 200)"
    )
    parser.add_argument(
        "--deployment",
        metavar="FILE|DIR",
        action="append",
        dest="deployments",
        help="deployment YAML, or a folder of them: rates, paths and asset names of collections; read again on change",
    )
    parser.add_argument("--create-container", action="store_true", help="create a missing Azure container")
    parser.add_argument("--json", action="store_true", default=False, help="print the startup line as JSON")
    parser.set_defaults(run=receive)


def receive(arguments: argparse.Namespace) -> None:
    """Run the receiver until it is told to stop.

    Raises:
        ReceiverError: wrong settings, an unusable store or address.
    """
    given = {name: getattr(arguments, name) for name in _FLAGS if hasattr(arguments, name)}
    config = configuration.load(arguments.config, given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Azure's client writes a dozen lines for every request at INFO.
    logging.getLogger("azure").setLevel(logging.WARNING)
    # gRPC writes to stderr what we say in one sentence; whoever wants its log sets the variable.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from ..server import run  # noqa: PLC0415 (gRPC, the store's client: only this command needs them)
    except ImportError as error:
        raise ConfigError(
            f"expected the receiver's dependencies, got no {error.name}; pip install 'otel-modeldata[receiver]'"
        ) from None
    keep_freed_memory()  # taking it again for the next large request costs more than checking its rows
    stop_metrics = telemetry.start_metrics()
    try:
        _run_loop(run(config, lambda server: _announce(config, server, as_json=arguments.json)))
    finally:
        stop_metrics()


def _run_loop(main: Coroutine[object, object, None]) -> None:
    """Run `main` on uvloop where there is one: it takes about a third less time per call."""
    try:
        import uvloop  # noqa: PLC0415 (no wheel for Windows)
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


def _announce(config: configuration.ReceiverConfig, server: Server, *, as_json: bool) -> None:
    """Say where this receiver listens and stores: one line on stdout, for people or for programs."""
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
