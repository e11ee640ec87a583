"""Labels are collected: as in the tests of the SDK, each test has a process-wide delivery of its own."""

from own_process import clean_environment, own_process  # noqa: F401 - fixtures of every test
