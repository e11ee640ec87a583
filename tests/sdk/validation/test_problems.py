"""A problem has a path and a message; one function makes sentences of them."""

from __future__ import annotations

import pickle

import pytest

from otel_modeldata.exceptions import ConfigError
from otel_modeldata.validation.problems import (
    Problem,
    child,
    closest,
    item,
    may_be_token,
    sentence,
    shown,
    shown_choice,
)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("a.b", "expected text, got 1"), "a.b: expected text, got 1"),
        (Problem("", "expected YAML, got nothing"), "expected YAML, got nothing"),
        (Problem("a", "wrong", "file.yml"), "file.yml: a: wrong"),
        (Problem("", "wrong", "file.yml"), "file.yml: wrong"),
    ],
)
def test_a_problem_is_written_with_its_source_and_path(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_sentence_names_a_file_once_for_the_problems_that_follow() -> None:
    problems = [
        Problem("a", "1", "x.yml"),
        Problem("b", "2", "x.yml"),
        Problem("VARIABLE", "3"),
        Problem("c", "4", "y"),
    ]
    assert sentence(problems) == "x.yml: a: 1; b: 2; VARIABLE: 3; y: c: 4"


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        ("", "a", "a"),
        ("a", "b-c", "a.b-c"),
        ("a", "s/r/w/n", "a.s/r/w/n"),
        ("a", "b.c", "a['b.c']"),
        ("a", 1, "a.1"),
        ("a", "", "a['']"),
        ("", "b c", "['b c']"),
    ],
)
def test_paths_of_different_keys_differ(path: str, key: object, expected: str) -> None:
    assert child(path, key) == expected


def test_the_path_of_a_list_entry_has_its_index() -> None:
    assert item("a.b", 3) == "a.b[3]"


def test_only_a_similar_name_is_suggested() -> None:
    assert closest("stroe", ["store", "listen"]) == "store"
    assert closest("stroe", ["store", "listen"], cutoff=0.95) is None
    assert closest(7, ["store"]) is None


def test_an_error_survives_pickling_as_its_text() -> None:
    error = ConfigError(Problem("a", "wrong", "x.yml"), "and more")
    assert error.problems == (Problem("a", "wrong", "x.yml"), Problem("", "and more"))
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "x.yml: a: wrong; and more"


@pytest.mark.parametrize(
    "text",
    [
        "https://user:SECRET@account.blob.core.windows.net/c",
        "https:/user:SECRET@account/c",
        "https://account/c?sv=1&sig=SECRET",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=SECRET==;EndpointSuffix=x",
        "SharedAccessSignature=SECRET",
        "authorization=Bearer%20SECRET",
        "authorization=Bearer SECRET",
        "Authorization=basic SECRET",
        "Authorization: Bearer SECRET",
        "Authorization: Basic SECRET",
        "api-key=SECRET",
        "https://user:SECRET" + "x" * 100 + "@host",
        "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.SECRET.x",
        "ghp_SECRETSECRET1",
    ],
)
def test_secrets_are_in_no_message(text: str) -> None:
    assert "SECRET" not in shown(text)
    assert "SECRET" not in str(Problem("listen", f"expected HOST:PORT, got {text!r}"))
    assert "SECRET" not in str(Problem(child("datastores", text), "unknown key", text))


@pytest.mark.parametrize(
    "message",
    [
        "expected a secret in 'key.txt', got an empty file: write it there",
        "expected name=value pairs, got 'x'",
        "cannot be read: [Errno 2] No such file or directory: 'https:/a/b'",
        "tls.clients: expected client_ca_file beside it, got none",
    ],
)
def test_a_message_without_secrets_is_not_changed(message: str) -> None:
    assert Problem("key", message).message == message


@pytest.mark.parametrize(
    "text", ["zip", "ignore", "False", "10s", "128MiB", "1e9", "2.5 seconds", "-1", "gzipp", "http/protobuf", "7" * 40]
)
def test_a_plausible_choice_is_shown(text: str) -> None:
    assert shown_choice(text, ["gzip"]) == shown(text)


@pytest.mark.parametrize("text", ["s3cr3t", "SECRETS", "Ab3" * 8, "gzip but s3cr3t is longer than words", "5 s3cr3t"])
def test_another_text_in_place_of_a_choice_is_not_shown(text: str) -> None:
    said = f"a text of {len(text)} characters, which is not shown because it may be a secret"
    assert shown_choice(text, ["gzip", "none"]) == said


def test_a_token_is_not_taken_for_a_path() -> None:
    tokens = ["eyJhbGciOiJIUzI1NiJ9.s3cr3t", "a1b2c3d4e5f6a7b8", "glc_s3cr3ts3cr3t", "dG9rZW4gNDIgaXMgaGVyZQ=="]
    paths = ["token", "/var/run/secrets/token-1234567890", "./ca-2026-11-28.pem", "~/keys/client-12345678.pem"]
    assert [may_be_token(text) for text in (*tokens, *paths)] == [True] * 4 + [False] * 4
