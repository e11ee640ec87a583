"""Line templates: the fast path from an encoded log record to its line, learned from `log_record.py`.

Theory of operation. Nearly all records of a sender are the same bytes except for the rows and a few slots: ids, a
number, times. So the work that `log_record.py` does for one of them can be used for the others.

1. `RecordShape` (`record_shape.py`) cuts a record into common bytes and slots. A slot is the characters of a string,
   a time, the bytes of a trace or span id, or the digits of a number. It never contains a length, so a record with the
   same common bytes has the same fields in the same order. The body may have any length.
2. Which attributes have slots is declared in `cloudevent.CloudEvent` (`Varies`). Attributes that no line has may
   always differ. The name of the collection is a slot where exactly one attribute has it: then the event names are not
   looked at, and may differ as well. Every other attribute belongs to the common bytes.
3. `learn` (`learning.py`) passes a copy of a record, with a random marker in each slot, through `log_record.py`, and
   looks where the markers are in the line that comes back. So a template has the position of each slot in the line,
   without a list of line keys. If a marker is not in the line, lines do not depend on its slot.
4. A template is used only if it makes, for the record itself, exactly the line that `log_record.py` made.
5. `ScopeTemplates` (`scope_templates.py`) finds the template whose common bytes a record has, checks the values, and
   joins the parts of the line. A value that is not ordinary (a character that JSON or UTF-8 encode differently, a zero
   time or id, invalid rows) is left to `log_record.py`. Small records that follow each other and have one shape,
   collection and second are made together, column by column (`record_run.py`).
6. What lines have of the resource, its source and its producer, are slots too. So a template of one sender makes the
   lines of every sender that uses the same library.
7. `TemplateCache` (`template_cache.py`) remembers templates by sender and by library. A sender may have hundreds, for
   collections whose names have other sizes, so a record is compared only with those of its layout. A template is
   learned only when a shape is seen again, so senders that never repeat a shape cause no learning, and everything is
   bounded. What one deployment adds to what others use is bounded too (`places.py`): it cannot make theirs be
   forgotten.

The differential tests in `tests/receiver/mapping/line_template/` compare every line with that of `log_record.py`.
"""
