"""A client of an Azure ML workspace: it registers data assets and looks up datastores.

It uses Azure ML's own library, which is part of the extra `azureml`. That library is large, slow to import and
synchronous: it is imported when it is first needed, and every method here blocks.
"""

from __future__ import annotations

import logging
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from ..config.store_access import DatastoreConfig
from ..exceptions import AssetError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential

    from ..config.store_access import WorkspaceConfig
    from .data_assets import DataAsset
    from .datastores import DatastorePath

__all__ = ["AzureWorkspace"]

logger = logging.getLogger(__name__)

_ROLE: Final = "AzureML Data Scientist"


class AzureWorkspace:
    """A workspace of Azure ML; nothing is contacted before the first call of a method.

    Args:
        config: which workspace.
        credential: makes the credential; by default that of the machine's identity.

    Raises:
        ConfigError: the library is not installed.
    """

    def __init__(self, config: WorkspaceConfig, credential: Callable[[], TokenCredential] | None = None) -> None:
        if not _is_installed():
            raise ConfigError(
                "expected Azure ML's library for the setting workspace, got none: install it with "
                "pip install 'otel-modeldata[azureml]', or remove the setting"
            )
        self._config = config
        self._new_credential = credential or _identity

    def register(self, asset: DataAsset) -> None:
        """Register a data asset; one that exists already is not changed.

        Raises:
            AssetError: it is not known to be registered; calling again is safe.
        """
        from azure.ai.ml.entities import Data  # noqa: PLC0415 (see above)
        from azure.ai.ml.exceptions import AssetPathException, MlException  # noqa: PLC0415
        from azure.core.exceptions import AzureError, ResourceExistsError  # noqa: PLC0415

        data = Data(
            name=asset.name,
            version=asset.version,
            path=asset.path,
            type="uri_folder",
            description=asset.description,
        )
        try:
            self._client.data.create_or_update(data)
        except ResourceExistsError:
            return
        except AssetPathException:
            logger.warning(
                "data asset %s version %s exists with another path and is not changed", asset.name, asset.version
            )
        except (AzureError, MlException, OSError) as error:
            raise AssetError(
                f"expected to register data asset {asset.name!r} in workspace {self._config.name!r}, got "
                f"{_reason(error)}: give the receiver's identity the role {_ROLE!r} there"
            ) from None

    def datastore(self, path: DatastorePath) -> DatastoreConfig:
        """The container of the datastore of `path`.

        Raises:
            ConfigError: there is none, it is not a Blob container, or Azure ML does not answer.
        """
        from azure.ai.ml.exceptions import MlException  # noqa: PLC0415 (see above)
        from azure.core.exceptions import AzureError  # noqa: PLC0415

        client = self._client if path.workspace is None else self._open(*path.workspace)
        try:
            datastore = client.datastores.get(path.name)
        except (AzureError, MlException, OSError) as error:
            raise ConfigError(
                f"expected Azure ML to know the datastore {path.key!r}, got {_reason(error)}: correct its name, list "
                f"it under 'datastores', or give the receiver's identity the role {_ROLE!r} in that workspace"
            ) from None
        return DatastoreConfig(url=_container_url(path, datastore))

    @cached_property
    def _client(self) -> MLClient:
        return self._open(self._config.subscription_id, self._config.resource_group, self._config.name)

    def _open(self, subscription: str, group: str, workspace: str) -> MLClient:
        from azure.ai.ml import MLClient  # noqa: PLC0415 (see above)

        return MLClient(
            self._new_credential(), subscription, group, workspace, enable_telemetry=False, show_progress=False
        )


def _is_installed() -> bool:
    try:
        return find_spec("azure.ai.ml") is not None
    except ModuleNotFoundError:
        return False


def _identity() -> TokenCredential:
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 (see above)

    return DefaultAzureCredential()


def _container_url(path: DatastorePath, datastore: Any) -> str:
    """The URL of the container of a datastore; Data Lake Gen2 has a Blob endpoint as well."""
    container = getattr(datastore, "container_name", None) or getattr(datastore, "filesystem", None)
    account = getattr(datastore, "account_name", None)
    if not container or not account:
        raise ConfigError(
            f"expected a datastore of Azure Blob Storage or Data Lake Gen2, got {path.key!r} of type "
            f"{str(datastore.type)!r}: model data is stored in append blobs"
        )
    return f"https://{account}.blob.{datastore.endpoint or 'core.windows.net'}/{container}"


def _reason(error: Exception) -> str:
    """One line of at most 300 characters: answers of the service repeat the whole request."""
    status = getattr(error, "status_code", None)
    first = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return f"{status} {first}" if status else f"{type(error).__name__} ({first})"
