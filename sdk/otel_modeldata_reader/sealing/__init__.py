"""Seals: small manifests that say which hours of a collection are complete, and with which bytes."""
