"""The receiver of the demo: the command `receive`, as a process that is killed and started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .child_processes import environment

if TYPE_CHECKING:
    from ...config.receiver import ReceiverConfig
    from .child_processes import ChildProcess, ChildProcesses

__all__ = ["listening_port", "start_receiver"]


def start_receiver(processes: ChildProcesses, config: ReceiverConfig, port: int) -> ChildProcess:
    """Start it, without waiting for it.

    Args:
        processes: that it belongs to.
        config: the store, and the instance id, which a receiver keeps when it is started again.
        port: on loopback; 0 for a free one.
    """
    arguments = ["receive", "--listen", f"127.0.0.1:{port}", "--store", config.store, "--json"]
    arguments += ["--instance-id", config.instance]
    if config.create_container:
        arguments.append("--create-container")
    return processes.start("the receiver", ["-m", "otel_modeldata_receiver", *arguments], environment())


def listening_port(receiver: ChildProcess) -> int:
    """Wait until it listens, and return its port.

    Raises:
        ProcessEndedError: it ended.
    """
    port: int = receiver.wait_for(lambda: receiver.announced("port"))["port"]
    return port
