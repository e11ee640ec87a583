"""What is missing is named with the extra that has it; what cannot be imported is not called missing."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.commands.missing_package import missing_package

UNUSABLE = (
    "expected the dependencies of read, got one that cannot be imported ({}): its release fits to no other that is "
    "installed, such as NumPy; pip install --upgrade 'otel-modeldata[read]', or choose an older release of it"
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow"),
            "expected the dependencies of read, got no pyarrow; pip install 'otel-modeldata[read]'",
        ),
        (
            ImportError("numpy.core.multiarray failed to import\nmore"),
            UNUSABLE.format("numpy.core.multiarray failed to import"),
        ),
        (
            ImportError(),
            UNUSABLE.format("ImportError"),
        ),
    ],
)
def test_the_sentence_says_what_to_install(error: ImportError, text: str) -> None:
    assert str(missing_package(error, "read")) == text
