"""A thread that looks at the last day of each deployment, one after the other, so that home says what has drifted.

It looks while somebody looks at home, and gives most of the time to the questions of others.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.exceptions import ReaderError

from ..interruption import InterruptedRequest, Interruption, leave_to_questions, of_request
from .compared_windows import compared_windows
from .day_reading import DayReading
from .last_day import collection_day, day_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_modeldata_reader.blobs.listing import CollectionBlobs

    from ..catalog.catalog import Catalog
    from ..tables.tables import Tables
    from .baseline_profiles import BaselineProfiles
    from .compared_windows import ComparedWindows
    from .last_day import CollectionDay, DayRows

__all__ = ["DayWatch", "DeploymentDay"]

logger = logging.getLogger(__name__)

_WANTED_SECONDS: Final = 60.0
"""So long after the last question about home it goes on."""
_FIRST_SECONDS: Final = 1.0
"""The first answers of a Studio come before the first look."""
_NEXT_SECONDS: Final = 3.0
"""After that it asks again whether a deployment is due."""
_LONGEST_PAUSE: Final = 5.0
"""A pause is as long as what was done before it, and as the questions that are answered then; each at most so long."""

_LEAST_SECONDS: Final = 10.0
"""Between two looks at a deployment that gets rows; or so many times as long as the last one took:"""
_LEAST_SHARE: Final = 20
_OLD_SECONDS: Final = 600.0
"""Then a deployment is looked at again, although no file came or went: the day moves."""
_CLOSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentDay:
    """What a look at a deployment has found.

    Attributes:
        windows: what is compared; None where that is not known.
        collections: by their folders; those that have no rows of a model are left out.
        note: why nothing is compared; empty otherwise.
    """

    windows: ComparedWindows | None = None
    collections: Mapping[str, CollectionDay] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """The last look at a deployment.

    Attributes:
        found: what it has found.
        state: of the files that it read.
        made: when it was made, by the monotonic clock.
        due: when there may be another one.
    """

    found: DeploymentDay
    state: object
    made: float
    due: float


class DayWatch:
    """See above.

    Args:
        catalog: lists the store.
        tables: have the rows.
        baselines: have the profiles of a file.
        baseline: what Studio was started with; None compares with the day before.
    """

    def __init__(
        self,
        catalog: Catalog,
        tables: Callable[[], Tables],
        baselines: Callable[[], BaselineProfiles],
        baseline: str | None,
    ) -> None:
        self._catalog = catalog
        self._tables = tables
        self._baselines = baselines
        self._baseline = baseline
        self._lock = threading.Lock()
        self._looked: dict[str, _Looked] = {}
        self._reads: DayReading | None = None
        self._asked = 0.0
        self._wake = threading.Event()
        self._ending = Interruption()
        self._thread: threading.Thread | None = None

    def want(self) -> None:
        """Look at the deployments for a while; the first call begins it."""
        with self._lock:
            self._asked = time.monotonic()
            if self._thread is None and not self._ending.ended:
                self._thread = threading.Thread(target=self._run, name="studio-days", daemon=True)
                self._thread.start()

    def day(self, deployment: str) -> DeploymentDay | None:
        """What was found last; None before the first look at the deployment."""
        found = self._looked.get(deployment)
        return None if found is None else found.found

    def close(self) -> None:
        """End the thread; a second call does nothing."""
        self._ending.end()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        self._wake.wait(_FIRST_SECONDS)
        with of_request(self._ending, is_question=False):
            while not self._ending.ended:
                is_more = False
                if time.monotonic() - self._asked < _WANTED_SECONDS:
                    try:
                        self._rest(0.0)
                        is_more = self._look_at_one()
                    except InterruptedRequest:
                        return
                    except (RuntimeError, CancelledError):
                        if not self._ending.ended:
                            raise
                        return  # the store was closed meanwhile
                self._wake.wait(_FIRST_SECONDS if is_more else _NEXT_SECONDS)

    def _look_at_one(self) -> bool:
        """Look at the deployment that waits for it; returns whether there may be more."""
        try:
            listing = self._catalog.listing()
        except ReaderError:
            return False  # home says so
        if not listing.is_whole:
            return True
        names = {root.rpartition("/")[0] for root in listing.collections}
        for gone in self._looked.keys() - names:
            del self._looked[gone]
        now = time.monotonic()
        due = [(one.made, name) for name in names if (one := self._looked.get(name)) is not None and one.due <= now]
        name = min((one for one in names if one not in self._looked), default=min(due, default=(0.0, None))[1])
        if name is None:
            return False
        self._look(name, {root: one for root, one in listing.collections.items() if root.rpartition("/")[0] == name})
        return True

    def _look(self, name: str, found: Mapping[str, CollectionBlobs]) -> None:
        started, known = time.monotonic(), self._looked.get(name)
        state: object = None
        try:
            windows = compared_windows(self._catalog.now_ns, self._baseline)
            day = DeploymentDay(windows=windows, note=self._reading().read(name, found, windows, self._rest))
            if not day.note:
                rows = day_rows(self._tables(), name, windows)
                state = rows.state
                if known is not None and known.state == state and started - known.made < _OLD_SECONDS:
                    self._looked[name] = replace(known, due=started + _LEAST_SECONDS)
                    return
                day = replace(day, collections=self._compared(name, rows))
        except ReaderError as error:
            logger.info("Studio could not look at the last day of %s: %s", name, error)
            day = DeploymentDay(note=f"not compared: {error}")
        now = time.monotonic()
        due = now + max(_LEAST_SECONDS, _LEAST_SHARE * (now - started))
        self._looked[name] = _Looked(found=day, state=state, made=started, due=due)

    def _compared(self, name: str, rows: DayRows) -> dict[str, CollectionDay]:
        tables, baselines = self._tables(), self._baselines()
        return {side.root: collection_day(tables, baselines, name, rows, side, self._rest) for side in rows.day.sides}

    def _reading(self) -> DayReading:
        if self._reads is None:
            self._reads = DayReading(self._tables())
        return self._reads

    def _rest(self, took: float) -> None:
        """Leave the processor to questions for a while.

        Raises:
            InterruptedRequest: Studio ends.
        """
        self._wake.wait(min(took, _LONGEST_PAUSE))
        leave_to_questions(self._wake.wait, _LONGEST_PAUSE)
        self._ending.check()
