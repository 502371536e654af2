"""What the SDK scripts share: named checks, run in order, reported one per line."""

import os
import sys

BASE_URL = os.environ["BASE_URL"]
API_KEY = os.environ["API_KEY"]
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def equal(got, want, what="value"):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def raises(error, call):
    """The error that `call` raises, which must be of that class."""
    try:
        call()
    except error as raised:
        return raised
    raise AssertionError(f"no {error.__name__}")


def run():
    failed = 0
    for function in CHECKS:
        try:
            function()
            print(f"ok {function.__name__}")
        except Exception as error:  # every failure is reported, then the script fails
            failed += 1
            print(f"FAILED {function.__name__}: {type(error).__name__}: {error}")
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks hold")
    sys.exit(1 if failed else 0)
