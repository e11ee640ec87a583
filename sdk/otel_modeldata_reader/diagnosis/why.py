"""Why there is no data: looks at the steps of a record's path that can be seen from here, and orders what it finds.

The parts are imported when they are needed: `import otel_modeldata_reader` imports this module.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..blobs.datastore import located
from ..blobs.store_access import StoreAccess
from ..exceptions import StoreUnavailableError
from ..window import window_of
from .finding import Diagnosis, Finding, likeliest_first
from .scope import Scope, utc

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from otel_modeldata_receiver.config.store_access import AccessConfig

    from ..window import Moment

__all__ = ["diagnosed_store", "scope_of", "why"]


def scope_of(url: str, name: str, since: Moment, until: Moment) -> Scope:
    """What is asked for, at this moment.

    Raises:
        WindowError: a reversed window, or no time.
    """
    from otel_modeldata_receiver.config.store_url import shown_store  # noqa: PLC0415 (imported with the first store)

    window = window_of(since, until)
    return Scope(name=name.strip("/"), window=window, now=time.time_ns(), store=shown_store(url), url=url)


def why(  # noqa: PLR0913 (most are keywords)
    url: str | os.PathLike[str],
    name: str = "",
    since: Moment = "-1h",
    until: Moment = None,
    *,
    environ: Mapping[str, str] | None = None,
    access: AccessConfig | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Diagnosis:
    """Say why a store has no data of a collection, a deployment, or at all; also if it cannot be opened or read.

    Nothing is written. Listings say whether there are lines of the window. What is read is bounded: at most 64 MiB each
    of quarantine, of parked lines, of lines that may be unreadable and, in a store with at most 500 blobs, of numbers.

    Args:
        url: of the store, as for `open`.
        name: `endpoint/deployment/collection` or `endpoint/deployment`; empty for the whole store.
        since: the data that is missed is from this moment on, as for `Store.read`.
        until: and before this moment.
        environ: the variables of the scoring process, such as `os.environ` there; without them they are not checked.
        access: how an account in Azure is opened, as for `open`.
        config: the receiver's configuration file, as for `open`.

    Raises:
        WindowError: a reversed window, or no time.
    """
    scope = scope_of(str(url), name, since, until)
    first: tuple[Finding, ...] = ()
    if environ is not None:
        from otel_modeldata.environment import read_environment  # noqa: PLC0415 (only with an environment)

        from .environment import about_environment  # noqa: PLC0415 (likewise)

        first = tuple(about_environment(read_environment(environ), scope))
    try:
        store = StoreAccess(*located(str(url), access, config))
    except StoreUnavailableError as error:
        return _unavailable(scope, error, first)
    try:
        return diagnosed_store(store, scope, first)
    finally:
        store.close()


def diagnosed_store(store: StoreAccess, scope: Scope, first: tuple[Finding, ...] = ()) -> Diagnosis:
    """The diagnosis of an open store.

    Args:
        store: is read.
        scope: what is asked for.
        first: what was found before.
    """
    from .gaps import gaps  # noqa: PLC0415 (see above)
    from .parked import parked  # noqa: PLC0415 (see above)
    from .set_aside import quarantined, vanished  # noqa: PLC0415 (see above)
    from .stored import stored  # noqa: PLC0415 (see above)

    try:
        listed = stored(store, scope)
        aside = [
            *quarantined(store, scope, listed.written, has_data=listed.has_data),
            *parked(store, scope, has_data=listed.has_data),
            *vanished(store, scope, has_data=listed.has_data),
        ]
        numbers = [*gaps(store, scope, listed.seen)] if listed.seen else []
    except StoreUnavailableError as error:
        return _unavailable(scope, error, first)
    reached = Finding(cause="reached", step="store", outcome="ok", sentence=f"{scope.store} can be read")
    return _diagnosis(
        scope,
        [*first, reached, *listed.findings, *aside, *numbers],
        has_data=listed.has_data,
        is_known=bool(listed.seen) or any(one.cause in {"parked", "quarantined"} for one in aside),
    )


def _unavailable(scope: Scope, error: StoreUnavailableError, first: tuple[Finding, ...]) -> Diagnosis:
    found = Finding(cause="store_unavailable", step="store", outcome="stopped", sentence=str(error))
    return _diagnosis(scope, [*first, found], has_data=None, is_known=False)


def _diagnosis(scope: Scope, findings: list[Finding], *, has_data: bool | None, is_known: bool) -> Diagnosis:
    window = scope.window
    return Diagnosis(
        name=scope.name,
        store=scope.store,
        since=None if window.since is None else utc(window.since),
        until=None if window.until is None else utc(window.until),
        has_data=has_data,
        is_known=is_known,
        findings=likeliest_first(findings, has_data=bool(has_data)),
    )
