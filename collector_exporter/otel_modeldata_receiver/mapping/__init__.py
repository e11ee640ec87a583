"""Maps encoded requests to CloudEvents lines; does no I/O.

The path of a request: `request.decode` opens it, `request.map_records` passes each record to the mapper of its signal
(`log_record_mapper.py`, `span.py`), and returns a frozen `Mapped`. To add an attribute, see `cloudevent.CloudEvent`.
"""
