"""The command `otel-modeldata`, also as `python -m otel_modeldata_receiver`.

Nothing slow is imported before SIGHUP is ignored: a receiver that still imports its modules must survive a reload.
Nothing at all is imported where a Ctrl-C would print a traceback.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_INTERRUPTED = 130
"""`EXIT_INTERRUPTED` of `commands/main.py`, also while that is imported."""


def main() -> int:
    """Run the command line of this process and return its exit code."""
    try:
        if sys.argv[1:2] == ["receive"]:
            from .hangup import ignore_hangup  # noqa: PLC0415 (see above)

            ignore_hangup()
        from .commands.main import main as run  # noqa: PLC0415 (see above)

        code = run()
        if code == _INTERRUPTED:
            import signal  # noqa: PLC0415 (see above)

            # pyarrow may report the same Ctrl-C again, while the interpreter ends; a second real one ends it at once.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
