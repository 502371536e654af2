#!/usr/bin/env python3
"""Runs known command lines of `apisix_gateway.py` with `sluice gateway`.

The binary is `sluice` on the path, or what the variable SLUICE names. It finds the admin key itself: in the
arguments, in GATEWAY_ADMIN_KEY, or in the data folder.
"""

import os
import sys


def command(arguments):
    """The arguments of `sluice` for those of the script."""
    arguments = list(arguments)
    if "--generate-kilo" in arguments and "--kilo-format" not in arguments:
        arguments += ["--kilo-format", "seed"]
    if arguments[:1] == ["generate-kilo"] and "--kilo-format" not in arguments:
        arguments += ["--kilo-format", "seed"]
    if arguments[:1] == ["cleanup"]:
        arguments.append("--yes")
    return ["gateway", *arguments]


if __name__ == "__main__":
    sluice = os.environ.get("SLUICE", "sluice")
    try:
        os.execvp(sluice, [sluice, *command(sys.argv[1:])])
    except OSError as error:
        sys.exit(f"{sluice} cannot be run ({error.strerror}): put it on the path, or name it in SLUICE")
