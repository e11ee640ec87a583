"""The command `otel-modeldata`, also as `python -m otel_modeldata_receiver`.

Nothing slow is imported before SIGHUP is ignored: a receiver that still imports its modules must survive a reload.
"""

from __future__ import annotations

import sys

from .hangup import ignore_hangup

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if sys.argv[1:2] == ["receive"]:
        ignore_hangup()
    from .commands.main import main as run  # noqa: PLC0415 (see above)

    return run()


if __name__ == "__main__":
    sys.exit(main())
