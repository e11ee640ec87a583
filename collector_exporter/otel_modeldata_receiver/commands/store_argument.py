"""The type of command-line arguments that name a store; command lines are no place for secrets."""

from __future__ import annotations

import argparse

from ..config.store_url import has_secret

__all__ = ["store_argument"]


def store_argument(text: str) -> str:
    """`text`, unless it has a signature or a key in it: every user of a machine can list its command lines.

    Raises:
        argparse.ArgumentTypeError: it has one; the message says where to put it.
    """
    if has_secret(text):
        raise argparse.ArgumentTypeError(
            "expected a store without a signature, key or password, got one in the command line, which every user of "
            "this machine can read: put the signature into AZURE_STORAGE_SAS_TOKEN, the account's URL into "
            "AZURE_STORAGE_ACCOUNT_URL, and write az://container/prefix"
        )
    return text
