"""The files in which records wait: `disk_queue.py` has the segments of this process and of dead ones."""
