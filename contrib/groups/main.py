#!/usr/bin/env python3
"""Runs known command lines of `main.py` with `sluice run`: `--gateway`, `--groups`, `--external-ip`, ….

The binary is `sluice` on the path, or what the variable SLUICE names. Starting sandboxes is no part of it.
"""

import os
import sys

if __name__ == "__main__":
    sluice = os.environ.get("SLUICE", "sluice")
    try:
        os.execvp(sluice, [sluice, "run", *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"{sluice} cannot be run ({error.strerror}): put it on the path, or name it in SLUICE")
