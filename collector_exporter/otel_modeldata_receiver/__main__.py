"""The command `otel-modeldata`, also as `python -m otel_modeldata_receiver`.

Nothing slow is imported before SIGHUP is ignored: a receiver that still imports its modules must survive a reload.
"""

from __future__ import annotations

import signal
import sys

from .hangup import ignore_hangup

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if sys.argv[1:2] == ["receive"]:
        ignore_hangup()
    from .commands.main import EXIT_INTERRUPTED  # noqa: PLC0415 (see above)
    from .commands.main import main as run  # noqa: PLC0415 (likewise)

    code = run()
    if code == EXIT_INTERRUPTED:
        # pyarrow may report the same Ctrl-C again, while the interpreter ends; a second real one ends it at once.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return code


if __name__ == "__main__":
    sys.exit(main())
