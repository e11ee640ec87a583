"""What the settings of a scoring process say: whether it collects what is asked for, under which name, and to where.

The settings are read by the code that `Collector(...)` and `check --environment` run (`otel_modeldata.environment`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .finding import Finding
from .lost_events import about_reports
from .same_store import is_same_store
from .scope import shown_time
from .seen import NANOSECONDS
from .spool import spool_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata.config import CollectorConfig
    from otel_modeldata.environment import Environment

    from .finding import Outcome, Step
    from .scope import Scope

__all__ = ["about_config", "about_environment"]

_CHECK: Final = "otel-modeldata check --environment"
_LOW_RATE: Final = 0.1
_FULL: Final = 0.9
_STALE_SECONDS: Final = 60.0


def about_environment(environment: Environment, scope: Scope) -> Iterator[Finding]:
    """What the variables of a process say about missing data; nothing is contacted."""
    for one in environment.problems:
        sentence = f"Collector(...) raises, so nothing is collected: {one}"
        yield _finding("wrong_settings", "stopped", sentence, _CHECK)
    for one in (*environment.misspelled, *environment.warnings):
        yield _finding("doubtful_setting", "suspect", f"{one}", _CHECK)
    if environment.config is not None:
        yield from about_config(environment.config, scope, environment.config_origin)
    yield from _about_names(environment, scope)
    yield from _about_target(environment, scope)
    yield from _about_spool(environment, scope)
    if environment.delivery is not None and environment.delivery.report is not None:
        yield from about_reports(environment.delivery.report, scope)


def about_config(
    config: CollectorConfig, scope: Scope, origin: str, *, step: Step = "environment", run: str = _CHECK
) -> Iterator[Finding]:
    """What the configuration of the collectors says about missing data.

    Args:
        config: what is collected.
        scope: what is asked for.
        origin: where the configuration is from, for the sentences.
        step: the step of the findings.
        run: the command that shows the configuration.
    """
    origin = "the default" if origin == "defaults" else origin
    found = [*_switches(config, scope, origin)]
    if config.local_capture:
        found.append(("printed_only", "stopped", f"{origin} lets events be printed, not sent: runMode is local"))
    if not found:
        found.append(("collected", "ok", f"{scope.collection or 'every collection'} is collected, by {origin}"))
    for cause, outcome, sentence in found:
        yield _finding(cause, outcome, sentence, run if outcome != "ok" else "", step)


def _switches(config: CollectorConfig, scope: Scope, origin: str) -> Iterator[tuple[str, Outcome, str]]:
    if not config.enabled:
        yield "collection_off", "stopped", f"{origin} switches all collections off: AZUREML_MDC_ENABLED is not true"
        return
    listed = config.collections
    names = [scope.collection] if scope.collection else sorted(listed or {})
    if listed is not None and not any(one.enabled for one in listed.values()):
        yield "collection_off", "stopped", f"no collection in {origin} is enabled: write enabled: 'True'"
        return
    for name in names:
        entry = config.collection(name)
        weak: Outcome = "stopped" if scope.collection else "suspect"
        if entry is None:
            there = ", ".join(sorted(listed or {})) or "none"
            yield "collection_not_listed", weak, f"{origin} does not list {name}, which is off then; it lists {there}"
        elif not entry.enabled:
            how = "enabled: false" if entry.is_switched else "no enabled, which is off, as in Azure ML"
            yield "collection_off", weak, f"{name} is off in {origin}, which has {how}: write enabled: 'True'"
        elif (rate := config.rate_of(name)) == 0:
            yield "nothing_sampled", weak, f"{name} has sampling_rate 0 in {origin}, which collects nothing"
        elif rate < _LOW_RATE:
            sentence = f"{name} is collected for {rate * 100:g} % of the requests only, as {origin} says"
            yield "low_sampling_rate", "suspect", sentence
    if not names and config.sampling_rate == 0:
        yield "nothing_sampled", "stopped", f"the sampling rate in {origin} is 0, which collects nothing"


def _about_names(environment: Environment, scope: Scope) -> Iterator[Finding]:
    sender = environment.sender
    if sender is None or not scope.tenant:
        return
    name = f"{sender.endpoint}/{sender.deployment}"
    if name == scope.tenant:
        yield _finding("names", "ok", f"events are sent as {name}")
        return
    sentence = (
        f"this environment sends as {name}, not as {scope.tenant}: set endpoint_name and name in the deployment YAML, "
        "or azureml.endpoint.name and azureml.deployment.name in OTEL_RESOURCE_ATTRIBUTES"
    )
    collection = f"/{scope.collection}" if scope.collection else ""
    yield _finding("other_names", "stopped", sentence, scope.command("why", f"{name}{collection}"))


def _about_target(environment: Environment, scope: Scope) -> Iterator[Finding]:
    from otel_modeldata_receiver.config.store_url import shown_store  # noqa: PLC0415 (only with an environment)

    if environment.store is not None:
        shown = shown_store(environment.store)
        if is_same_store(environment.store, scope.url):
            yield _finding("target", "ok", f"this process writes to {shown} itself")
        else:
            sentence = f"this environment writes to {shown} itself (OTEL_MODELDATA_STORE), not to {scope.store}"
            yield _finding("other_store", "stopped", sentence, f"otel-modeldata ls --store {shown}")
    elif environment.endpoint is not None:
        scheme = "https" if environment.endpoint.secure else "http"
        yield _finding("target", "ok", f"events are sent to {scheme}://{environment.endpoint.target}")


def _about_spool(environment: Environment, scope: Scope) -> Iterator[Finding]:
    settings = None if environment.delivery is None else environment.delivery.spool
    files = None if settings is None else spool_files(settings.folder)
    if settings is None or files is None:
        return
    shown = f"the spool {str(settings.folder)!r} has {files.size:,} bytes"
    if files.size >= _FULL * settings.max_bytes:
        sentence = (
            f"{shown}, and a process may have {settings.max_bytes:,}: what it has no room for is refused by collect; "
            "records wait there because the endpoint does not take them"
        )
        yield _finding("spool_full", "stopped", sentence, "otel-modeldata doctor")
    elif files.oldest is not None and scope.now / NANOSECONDS - files.oldest > _STALE_SECONDS:
        since = shown_time(int(files.oldest) * NANOSECONDS)
        sentence = f"{shown}, some of which wait since {since}: the endpoint does not take them, or no process runs"
        yield _finding("spool_waits", "suspect", sentence, "otel-modeldata doctor")
    else:
        yield _finding("spool", "ok", f"{shown}")


def _finding(cause: str, outcome: Outcome, sentence: str, run: str = "", step: Step = "environment") -> Finding:
    return Finding(cause=cause, step=step, outcome=outcome, sentence=sentence, run=(run,) if run else ())
