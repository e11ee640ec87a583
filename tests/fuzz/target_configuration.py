"""The configuration: the bytes of a receiver's YAML and of a deployment YAML become settings, or sentences.

The input is read as each of the two files.

- The only error is `ConfigError`. Each of its problems has a key that is in the file, or that is missing in a mapping
  of it, and one line of text.
- Neither the error nor the settings show a secret: the query of a URL, a password in it, or a value of
  `environment_variables`.
- A key that a mapping has twice is an error.
- What is accepted has the values of the file, and reading it again is the same.
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from fuzz_target import FuzzTarget, changed_bytes
from hypothesis import strategies as st

from otel_modeldata.config import read_deployment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata_receiver.config import receiver
from otel_modeldata_receiver.config.receiver import SETTINGS, ReceiverConfig

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from otel_modeldata.validation.problems import Problem

__all__ = ["TARGET"]

_CANARY = "Canary7Zq9"
_SECRET = re.compile(rf"[?&]sig={_CANARY}\b|\bAccountKey={_CANARY}\b|\b[Bb]earer {_CANARY}\b|://\w+:{_CANARY}@")
_PATH_START = re.compile(r"[\w$/-]+|\['[^']*'\]|\[\"[^\"]*\"\]")
_MOST_SHOWN = 4000


def check(given: bytes) -> None:
    """The oracle; see above."""
    path = _folder() / "file.yaml"
    path.write_bytes(given)
    for read in (_receiver, _deployment):
        _check(given, path, read)


def _receiver(path: Path) -> Any:
    return receiver.load(path, {})


def _deployment(path: Path) -> Any:
    return read_deployment(path)


def _check(given: bytes, path: Path, read: Callable[[Path], Any]) -> None:
    document, repeated = _parsed(given)
    text = given.decode("utf-8", "replace")
    secrets = len(_SECRET.findall(text))
    is_secret = secrets == text.count(_CANARY) > 0
    try:
        config = read(path)
    except ConfigError as error:
        texts = [str(error), repr(error), *(str(problem) for problem in error.problems)]
        _check_problems(error.problems, document)
    else:
        texts = [repr(config)]
        assert read(path) == config, "reading again gives other settings"
        assert not repeated, f"a key that is twice is accepted: {repeated}"
        if isinstance(config, ReceiverConfig) and isinstance(document, dict):
            _check_values(config, document)
    for shown in texts:
        assert not is_secret or _CANARY not in shown, f"a secret is shown: {shown[:500]}"


def _check_problems(problems: Sequence[Problem], document: Any) -> None:
    assert problems, "an error without a problem"
    for problem in problems:
        assert "\n" not in problem.message, f"more than one line: {problem.message!r}"
        assert len(problem.message) <= _MOST_SHOWN, f"a message of {len(problem.message)} characters"
        if isinstance(document, dict) and problem.path:
            start = _PATH_START.match(problem.path)
            known = {str(key) for key in document} | {setting.key for setting in SETTINGS}
            known |= {"data_collector", "collections", "endpoint_name", "name"}
            name = start[0].strip("[]'\"") if start else ""
            assert not start or start[0].startswith("[") or name.split(".")[0] in known, (problem.path, known)


def _parsed(given: bytes) -> tuple[Any, str]:
    """The document as PyYAML reads it, and a key that a mapping on the highest level has twice."""
    try:
        node = yaml.compose(given, Loader=yaml.SafeLoader)
        document = yaml.safe_load(given)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None, ""
    keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    plain = [key for key in keys if isinstance(key, str) and key != "<<"]
    return document, next((key for key in plain if plain.count(key) > 1), "")


def _check_values(config: ReceiverConfig, document: dict[Any, Any]) -> None:
    for key in ("listen", "instance_id", "create_container", "max_message_bytes", "grace_seconds", "assets"):
        given = document.get(key)
        if given is not None and not isinstance(given, str):
            assert getattr(config, key) == given, (key, given, getattr(config, key))
        elif isinstance(given, str) and key in {"listen", "instance_id"}:
            assert getattr(config, key) == given, (key, given)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_WORDS = (
    *(f"{setting.key}: ".encode() for setting in SETTINGS),
    *(
        b"data_collector:\n",
        b"  collections:\n",
        b"    model_inputs:\n",
        b"      enabled: 'True'\n",
        b"endpoint_name: ",
    ),
    *(
        b"\n",
        b": ",
        b"- ",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!python/object ",
        b"!!binary ",
        b"{",
        b"}",
        b"[",
        b"]",
        b"|",
        b"#",
    ),
    *(b"https://a.blob.core.windows.net/c?sv=1&sig=" + _CANARY.encode(), b"https://u:" + _CANARY.encode() + b"@h/c"),
    *(b"2026-02-30", b"0x10", b"1e400", b".nan", b"null", b"yes", b"\xef\xbb\xbf", b"\xff", b"\x00", b"\t", b"  "),
    *(b"az://c/p", b"127.0.0.1:99999", b"store: ./a\nstore: ./b\n", b"AccountKey=" + _CANARY.encode() + b";"),
    *(b"environment_variables:\n  A: Bearer " + _CANARY.encode() + b"\n", b"? ", b"\xc2\x85", b"\xe2\x80\xa8"),
)


def _mutate(given: bytes, chance: random.Random) -> bytes:
    return changed_bytes(given, chance, _WORDS)


_SCALARS = st.sampled_from(
    [
        *("127.0.0.1:4317", "az://c", "Hour", "", "true", "x" * 200, "a\nb", "https://a/c?sig=" + _CANARY),
        *("http://u:" + _CANARY + "@h", 0, -1, 1, 2**70, 1.5, float("nan"), True, None),
    ]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["url", "cert_file", "key_file", "clients", "a.b", "x", "sas_file"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)
_RECEIVER = st.dictionaries(
    st.sampled_from([setting.key.split(".")[0] for setting in SETTINGS] + ["stor"]), _VALUES, max_size=4
)
_ENTRY = st.dictionaries(
    st.sampled_from(["enabled", "sampling_rate", "rolling_rate", "data", "x"]), _VALUES, max_size=3
)
_DEPLOYMENT = st.fixed_dictionaries(
    {
        "endpoint_name": _SCALARS,
        "environment_variables": st.just({"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer " + _CANARY}),
        "data_collector": st.fixed_dictionaries(
            {"collections": st.dictionaries(st.sampled_from(["model_inputs", "Model_inputs", "a/b"]), _ENTRY)}
        ),
    }
)

TARGET = FuzzTarget(
    name="configuration",
    about="bytes of a receiver's YAML and of a deployment YAML -> settings, or sentences that name the key",
    check=check,
    mutate=_mutate,
    inputs=(_RECEIVER | _DEPLOYMENT).map(lambda document: yaml.safe_dump(document, allow_unicode=True).encode()),
    runs=8_000,
)
