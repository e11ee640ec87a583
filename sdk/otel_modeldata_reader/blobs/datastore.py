"""The container behind `azureml://datastores/NAME/paths/PATH`: what the receiver's configuration says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import StoreUnavailableError

if TYPE_CHECKING:
    import os

    from otel_modeldata_receiver.config.store_access import AccessConfig

__all__ = ["located"]


def located(
    url: str, access: AccessConfig | None, config: str | os.PathLike[str] | None
) -> tuple[str, AccessConfig | None]:
    """The URL of a store, and how it is opened; those of its datastore for a path in one.

    Args:
        url: of a store, or a path in a datastore.
        access: how the store is opened, if that was given.
        config: the receiver's configuration, whose settings `datastores` and `workspace` know the datastores.

    Raises:
        StoreUnavailableError: no configuration knows the datastore, or its file is wrong.
    """
    if not url.lower().startswith("azureml:"):
        return url, access
    if config is None:
        raise StoreUnavailableError(
            f"expected the receiver's configuration beside {url}, got none: give its file as config, or by --config"
        )
    from otel_modeldata_receiver.config import receiver as configuration  # noqa: PLC0415 (only for datastores)
    from otel_modeldata_receiver.deployments.azureml_workspace import AzureWorkspace  # noqa: PLC0415 (likewise)
    from otel_modeldata_receiver.deployments.datastores import Datastores  # noqa: PLC0415 (likewise)
    from otel_modeldata_receiver.exceptions import ConfigError  # noqa: PLC0415 (likewise)

    try:
        settings = configuration.load(Path(config), {})
        workspace = AzureWorkspace(settings.workspace) if settings.workspace is not None else None
        datastores = Datastores(
            settings.known_datastores, settings.workspace, workspace.datastore if workspace else None
        )
        return datastores.located(url, access or settings.store_access)
    except ConfigError as error:
        raise StoreUnavailableError(str(error)) from None
