"""Opens a store, lists its collections, and begins readings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .blobs.datastore import located
from .blobs.listing import collections_of
from .blobs.store_access import StoreAccess
from .collection import Collection, collections_in, deployment_named
from .exceptions import ReaderError
from .lookup import find_id
from .maintained_store import MaintainedStore
from .reading import Reading, Request
from .window import window_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    import pandas as pd

    from otel_modeldata_receiver.config.store_access import AccessConfig

    from .diagnosis import Diagnosis
    from .following.new_rows import NewRows
    from .found_id import FoundId
    from .joined_rows import JoinedRows
    from .joining.joined_table import How
    from .labels import LabelWriter
    from .replaying import Recording, Replay
    from .reporting import Report, Thresholds
    from .sql import Query
    from .window import Moment

__all__ = ["Collection", "Store", "open_store"]


def open_store(
    url: str | os.PathLike[str],
    *,
    access: AccessConfig | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Store:
    """Open a store for reading.

    Args:
        url: a folder, `file:///dir`, `az://container/prefix` with the account in the environment, or
            `https://account.blob.core.windows.net/container/prefix`: as for the receiver's `--store`. Also a folder
            inside of a store, as Azure ML's collector writes them: the folder of one collection is the collection ``.
            And `azureml://datastores/NAME/paths/PATH`, with `config`.
        access: how an account in Azure is opened; by default by what the environment has, else the identity of the
            machine.
        config: the receiver's configuration file, whose `datastores` and `workspace` say what a datastore is.

    Raises:
        StoreUnavailableError: the URL names no store, or its credentials cannot be used. Whether it exists is known
            when it is read.
    """
    return Store(StoreAccess(*located(str(url), access, config)))


class Store(MaintainedStore):
    """A store that is read, and to which labels are added; `open_store` opens it. It can be sent to other processes."""

    def __init__(self, store: StoreAccess) -> None:
        super().__init__(store)
        self._label_writers: dict[str, LabelWriter] = {}

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_label_writers": {}}

    def __repr__(self) -> str:
        return f"Store({self._store.shown!r})"

    def __enter__(self) -> Store:  # noqa: PYI034 (`Self` is not in Python 3.10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release connections, threads and processes; a later call opens them again."""
        writers, self._label_writers = self._label_writers, {}
        for writer in writers.values():
            writer.close()
        self._store.close()

    def collections(self, *, count: bool = False) -> list[Collection]:
        """The collections of the store.

        Args:
            count: whether to count events and rows, which reads every blob.

        Raises:
            StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
        """
        return collections_in(self._store, collections_of(self._store.walk()).values(), count=count)

    def read(  # noqa: PLR0913 (most are keywords)
        self,
        collection: str,
        since: Moment = None,
        until: Moment = None,
        *,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        envelope: bool = True,
        strict: bool = False,
        sealed: bool = False,
    ) -> Reading:
        """A reading of one collection; nothing is read before its rows are asked for.

        Args:
            collection: `endpoint/deployment/collection`, as `collections()` names it.
            since: only events from this moment on: `-7d`, a date, a datetime with a zone, or one of them as a text. The
                window is one of event time, half open.
            until: only events before this moment.
            columns: only these columns, in this order.
            where: only rows for which this is true: a condition in SQL, such as `age > 40 AND country = 'ES'`.
            envelope: whether rows have the envelope's columns before their own: row_id, correlationid, time, endpoint,
                deployment, collection, traceparent, modelversion and event_id.
            strict: raise where a line would be skipped or a column would change its type.
            sealed: read exactly what is sealed, so that the same reading has the same rows later (see `seal`). The
                report says how many folders have no seal, and which bytes came later.

        Raises:
            UnknownNameError: no such collection.
            WindowError: a reversed window, or no time.
            StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
        """
        window = window_of(since, until)
        blobs, seals = self._blobs_of(collection), None
        if sealed:
            from .sealing.sealed_blobs import sealed_blobs  # noqa: PLC0415 (imports msgspec)

            blobs, seals = sealed_blobs(self._store, blobs, window)
        return Reading(
            self._store,
            Request(
                collection=blobs,
                window=window,
                columns=None if columns is None else tuple(columns),
                where=where,
                envelope=envelope,
                strict=strict,
                seals=seals,
            ),
        )

    def follow(
        self,
        collection: str,
        since: Moment = None,
        *,
        where: str | None = None,
        last: int | None = None,
        poll: float = 1.0,
    ) -> Iterator[NewRows]:
        """The rows of a collection as they are written; an endless generator.

        A line comes once, when it is whole. Rows that arrive together are together, in the order of their times. Memory
        is bounded: a few megabytes of lines, and the latest 100,000 event ids.

        Args:
            collection: as for `read`.
            since: begin with the events from this moment on, and leave out earlier ones; None begins with the next row.
            where: as for `read`. A column that an event does not have is null.
            last: begin with this many of the rows that are there already, found in the last 64 MiB.
            poll: seconds between two looks at the store.

        Raises:
            ReaderError: as for `read`, and `poll` or `last` is too small; while it runs, too, if the store cannot be
                read any more.
        """
        from .following.follow import follow  # noqa: PLC0415 (imports pyarrow)

        window = window_of(since, None)
        if not poll > 0:
            raise ReaderError(f"expected poll= above 0 seconds, got {poll!r}: the default is 1.0")
        if last is not None and last < 0:
            raise ReaderError(f"expected last= of at least 0 rows, got {last!r}: leave it out")
        return follow(self._store, self._blobs_of(collection), window, where=where, last=last, poll=poll)

    def join(  # noqa: PLR0913 (most are keywords)
        self,
        deployment: str,
        since: Moment = None,
        until: Moment = None,
        *,
        labels: bool | str = False,
        how: How = "inner",
        history: bool = False,
        inputs: str = "model_inputs",
        outputs: str = "model_outputs",
        label_id: str | None = None,
    ) -> JoinedRows:
        """The rows of a deployment: inputs, outputs and labels of each, joined by row id.

        Args:
            deployment: `endpoint/deployment`.
            since: only requests with inputs from this moment on, as for `read`.
            until: only requests with inputs before this moment. Their outputs and labels may be later.
            labels: whether to add the labels in `endpoint/deployment/ground_truth`, if there are any; or the name of
                another collection that has them.
            how: `inner` keeps rows that have both, `left` also inputs without an output, `outer` also outputs without
                an input.
            history: whether to add all labels of a row, as `label_history`.
            inputs: the collection of inputs.
            outputs: the collection of outputs.
            label_id: the column of labels that has the row id, if it is not `row_id`.

        Raises:
            UnknownNameError: a collection is missing.
            ReaderError: as for `read`.
        """
        from .joined_rows import read_joined  # noqa: PLC0415 (imported with the first join)
        from .labels import GROUND_TRUTH  # noqa: PLC0415 (likewise)

        return read_joined(
            self.read,
            self._store.shown,
            deployment.strip("/"),
            since,
            until,
            inputs=inputs,
            outputs=outputs,
            labels=f"{deployment.strip('/')}/{GROUND_TRUTH}" if labels is True else labels or None,
            needs_labels=labels is not True,
            how=how,
            history=history,
            label_id=label_id,
        )

    def report(  # noqa: PLR0913 (most are keywords)
        self,
        name: str,
        since: Moment = None,
        until: Moment = None,
        *,
        baseline: str | os.PathLike[str] | tuple[Moment, Moment] | None = None,
        by: str | None = None,
        prediction: str | None = None,
        label: str | None = None,
        score: str | None = None,
        labels: bool | str = True,
        thresholds: Thresholds | None = None,
    ) -> Report:
        """What came in, what changed against a baseline, and how good predictions were.

        Args:
            name: `endpoint/deployment`, or a collection.
            since: only events from this moment on, as for `read`.
            until: only events before this moment.
            baseline: a Parquet or CSV file, such as the training data; or another window, as a pair or as a text such
                as `2026-11-01..2026-11-08`. Without one nothing is compared.
            by: a column of inputs or outputs: performance for each of its values, too.
            prediction: the column of outputs with what the model answered, if they have several.
            label: the column of labels with what was right, if they have several.
            score: the column of outputs with a score of the positive class, for the area under the curve.
            labels: whether to use those in `endpoint/deployment/ground_truth`; or the collection that has them.
            thresholds: from which value on a figure is a finding.

        Raises:
            UnknownNameError: no such deployment, collection or column.
            ReaderError: as for `read`, and for a baseline that cannot be read.
        """
        from .reporting.making import Source, report_of  # noqa: PLC0415 (imported with the first report)
        from .reporting.profiles.scored_rows import Roles  # noqa: PLC0415 (likewise)

        source = Source(store=self._store, collections=collections_of(self._store.walk()), read=self.read)
        roles = Roles(prediction=prediction, label=label, score=score, by=by)
        return report_of(source, name, window_of(since, until), baseline, roles, labels, thresholds)

    def query(self, sql: str, since: Moment = None, until: Moment = None) -> Query:
        """The rows of a query in DuckDB's SQL; nothing is read before they are asked for.

        Every collection is a table: `"shop/blue/model_inputs"`, also `shop_blue.model_inputs`, and `model_inputs` where
        only one deployment has it. The joined rows of a deployment are `"shop/blue/joined"`.

        Args:
            sql: one statement that reads. It can use no files, no network and no extensions.
            since: only rows of events from this moment on, as for `read`.
            until: only rows of events before this moment.

        Raises:
            ReaderError: it is no statement that reads, or DuckDB is not installed.
            UnknownNameError: it names a table that the store does not have.
            WindowError: a reversed window, or no time.
            StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
        """
        from .sql import Query  # noqa: PLC0415 (imported with the first query)
        from .sql.query import Source  # noqa: PLC0415 (likewise)

        window_of(since, until)
        collections = tuple(collections_of(self._store.walk()))
        source = Source(shown=self._store.shown, collections=collections, read=self.read, join=self.join)
        return Query(source, sql, since, until)

    def label(self, row_id: str, value: object, at: datetime | None = None, *, deployment: str | None = None) -> None:
        """Label a row; the label is in the store when this returns.

        Args:
            row_id: the row's.
            value: the label, or a mapping of column names to values.
            at: since when it holds; now when missing. The latest label wins, and the earlier ones are kept.
            deployment: `endpoint/deployment` of the row; the only one of the store when missing.

        Raises:
            LabelError: it is no label, or not in the store; the message says why.
            UnknownNameError: the store has no such deployment, or has several.
        """
        self.label_all({row_id: value}, at, deployment=deployment)

    def label_all(
        self,
        labels: Mapping[str, object] | pd.DataFrame,
        at: datetime | None = None,
        *,
        deployment: str | None = None,
    ) -> int:
        """Label many rows at once.

        Args:
            labels: a label for each row id, each as for `label`; or a frame with the column `row_id`, the label's own
                columns, and optionally `label_time`.
            at: as for `label`; a time in the frame goes first.
            deployment: as for `label`.

        Returns:
            The number of labels.

        Raises:
            ReaderError: as for `label`.
        """
        from .labels import label_frames  # noqa: PLC0415 (imports pandas)

        frames = label_frames(labels, at)
        return self._label_writer(deployment_named(self._store, deployment)).write(*frames)

    def _label_writer(self, deployment: str) -> LabelWriter:
        from .labels import LabelWriter  # noqa: PLC0415 (imported with the first label)

        if deployment not in self._label_writers:
            self._label_writers[deployment] = LabelWriter(self._store.url, deployment, access=self._store.access)
        return self._label_writers[deployment]

    def replay(self, recording: Recording) -> Replay:
        """Recorded requests that can be sent to another endpoint; nothing is read before its methods are called.

        Args:
            recording: what is replayed, of `otel_modeldata_reader.replaying`.

        Raises:
            ReplayError: a wrong argument.
        """
        from .replaying import Replay  # noqa: PLC0415 (imports aiohttp)

        return Replay(self._store, self._blobs_of, recording)

    def show(self, wanted: str, since: Moment = None, until: Moment = None, *, index: bool = True) -> FoundId:
        """Everything about one id: its events in all collections.

        Args:
            wanted: a correlation id, a row id, an event id, a trace id, or the x-request-id of a request; the last is
                found in lines that the index does not cover.
            since: search only the folders of this window; see `read`.
            until: likewise.
            index: whether to use the index of ids in the folder `_index` of the store, and to write it when much is
                scanned and the store may be written to. Without it all blobs are scanned.

        Raises:
            UnknownNameError: no line has it.
            WindowError: a reversed window, or no time.
            StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
        """
        window = window_of(since, until)
        return find_id(self._store, self._store.walk(), wanted, window, index=index)

    def why(self, name: str = "", since: Moment = "-1h", until: Moment = None) -> Diagnosis:
        """Say why there is no data: `otel_modeldata_reader.why` for this store; a window as for `read`.

        Raises:
            WindowError: a reversed window, or no time.
        """
        from .diagnosis.why import diagnosed_store, scope_of  # noqa: PLC0415 (imports the audit)

        return diagnosed_store(self._store, scope_of(self._store.url, name, since, until))
