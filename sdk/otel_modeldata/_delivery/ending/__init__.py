"""How a process ends: what is delivered before it, and where the SDK is called for that.

| module | when the SDK is called |
|---|---|
| `last_delivery.py` | at the end of the interpreter (`atexit`) |
| `termination_signal.py` | on SIGTERM, if the application has no handler for it |
| `missed_signal.py` | SIGTERM did not interrupt the main thread of such a child: it is sent to it again |
| `uvicorn_server.py` | when a uvicorn server has shut down, before uvicorn raises the signal again |
| `pool_child.py` | at the end of a child of multiprocessing, loky or billiard (Celery) |

`hooks.py` installs all of them. None of them replaces a signal handler of the application.
"""
