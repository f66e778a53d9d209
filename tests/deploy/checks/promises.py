"""How the checks judge what a deployment promises."""

import sys


def judge(promises, made):
    """Prints a line for each promise, a function whose name is a sentence; exits with 1 if one is not kept."""
    failed = 0
    for promise in promises:
        sentence = promise.__name__.replace("_", " ")
        try:
            promise(made)
            print(f"ok - {sentence}")
        except (AssertionError, KeyError, ValueError) as fault:
            failed += 1
            place = f"line {fault.__traceback__.tb_next.tb_lineno} of {promise.__code__.co_filename}"
            print(f"not ok - {sentence} ({place}: {type(fault).__name__} {fault})")
    sys.exit(1 if failed else 0)
