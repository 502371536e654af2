"""What the SDK scripts share: named checks, run in order for each provider, reported one per line.

`BASE_URL` is the gateway. `KEYS` has pairs `<provider>=<key>`: behind each key is a provider of that name, which answers
by the prompt contract.
"""

import os
import sys

BASE_URL = os.environ["BASE_URL"]
KEYS = dict(pair.split("=", 1) for pair in os.environ["KEYS"].split())
HELLO = "Hello from the upstream."
UNICODE = "\u00fcn\u00efc\u00f8d\u00e9 \u2713 \u65e5\u672c\u8a9e \U0001f389\U0001f469\u200d\U0001f4bb end"
CITIES = ["Paris", "Z\u00fcrich"]
WEATHER = "It is 21 degrees in Paris."
BOTH = "Paris 21, Z\u00fcrich 17."
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
# The test looks for the picture and for this description in what the providers get.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
COUNT = "how many things there are"
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "n": {"type": "integer", "description": COUNT}},
    "required": ["ok", "n"],
    "additionalProperties": False,
}
STRUCTURED = {"ok": True, "n": 3}
CHECKS = []


def check(function=None, *, only=None, but=()):
    """A check for all providers, for `only` some, or for all `but` some."""
    if function is None:
        return lambda function: check(function, only=only, but=but)
    CHECKS.append((function, lambda provider: provider not in but and (only is None or provider in only)))
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


def run(connect):
    """Runs the checks with the client that `connect` makes of each key."""
    failed = passed = 0
    for provider, key in KEYS.items():
        client = connect(key)
        for function, applies in CHECKS:
            if not applies(provider):
                continue
            try:
                function(client)
                passed += 1
                print(f"ok {function.__name__} on {provider}")
            except Exception as error:  # every failure is reported, then the script fails
                failed += 1
                print(f"FAILED {function.__name__} on {provider}: {type(error).__name__}: {error}")
    print(f"{passed} of {passed + failed} checks hold")
    sys.exit(1 if failed or not passed else 0)
