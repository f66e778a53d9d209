"""Runs the command that the arguments name."""

import os
import sys

os.environ.pop("PYTHONPATH", None)  # is for this package, not for the programs that it runs

for number, stream in enumerate(("stdin", "stdout", "stderr")):
    if getattr(sys, stream) is None:  # closed by the caller, so the next file would take its place
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor != number:
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.set_inheritable(number, True)
        setattr(sys, stream, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8"))
sys.stdout.reconfigure(errors="backslashreplace")  # what the locale lacks, as standard error does it
try:
    from .cli import main

    status = main(sys.argv[1:])
except KeyboardInterrupt:  # while the modules are loaded
    print("error: interrupted before anything was done", file=sys.stderr)
    status = 130
sys.exit(status)
