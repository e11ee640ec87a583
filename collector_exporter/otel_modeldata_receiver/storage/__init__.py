"""Stores lines in durable blobs, each exactly once.

A folder is in one of these states::

             first line                       its place takes no lines
    closed ------------> open ------------------------------------------> parked
       ^                 |  ^                                               |
       |   idle too long |  | all parked lines are delivered                |
       +-----------------+  +-----------------------------------------------+

- *Closed*: only what its blobs must contain is remembered (`folders/open_folders.py`).
- *Open*: it has a blob in use (`rolled_blobs.py`) and the ids that are stored (`folders/known_blobs.py`).
- *Parked*: its lines go to the folder of the same name below `_parked/` (`parking/`). That folder is open or closed by
  itself, and is forgotten when everything is delivered.

An open or parked folder may be *lossy*: lines have vanished from a blob, and that is not reported yet. Until it is, no
id is known and nothing is stored. If the folder is closed meanwhile, the loss is found again when it is opened.
"""
