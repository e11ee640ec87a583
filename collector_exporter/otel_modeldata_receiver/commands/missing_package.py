"""The error for an extra that is not installed, or for a package of one that cannot be imported."""

from __future__ import annotations

from importlib.util import find_spec

from ..exceptions import ConfigError

__all__ = ["is_missing", "missing_package"]


def missing_package(error: ImportError, extra: str) -> ConfigError:
    """What a command says instead of a traceback.

    Args:
        error: of an import.
        extra: that has the package: `read`, or several with commas between.
    """
    expected = f"expected the dependencies of {extra}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return ConfigError(f"{expected}, got no {error.name}; pip install 'otel-modeldata[{extra}]'")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ConfigError(
        f"{expected}, got one that cannot be imported ({reason}): its release fits to no other that is installed, such "
        f"as NumPy; pip install --upgrade 'otel-modeldata[{extra}]', or choose an older release of it"
    )


def is_missing(name: str) -> bool:
    """Whether there is no package of this name; it is not imported."""
    try:
        return find_spec(name) is None
    except (ModuleNotFoundError, ValueError):  # no parent, or `sys.modules[name] = None`
        return True
