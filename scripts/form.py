#!/usr/bin/env python3
"""Turns what `terraform plan -json` says about a form (standard input) into one line for each thing that is wrong, with
the line of the form and what to type. Prints nothing if nothing is wrong.

    form.py FORM
"""

import json
import os
import re
import sys


def main(form):
    shown = f"environments/{os.path.basename(form)}"
    complaints, judged = [], False
    for line in sys.stdin:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        judged = judged or message.get("type") in ("change_summary", "diagnostic")
        if "diagnostic" in message:
            complaints.append(explain(message["diagnostic"], form, shown))
    if not judged:
        complaints = [
            f"{shown}: Terraform says nothing about it: type `terraform version` and mend what that complains about"
        ]
    for complaint in sorted({complaint for complaint in complaints if complaint}, key=by_line):
        print(f"error: {complaint}")


def explain(diagnostic, form, shown):
    summary, detail = diagnostic["summary"], " ".join(diagnostic.get("detail", "").split())
    place = diagnostic.get("range") or {}
    in_form = os.path.basename(place.get("filename", "")) == os.path.basename(form)
    where = f"{shown} line {place['start']['line']}" if in_form else shown
    if summary == "No value for required variable":
        return f"{shown}: a line is missing: {quoted(detail)} = ... (environments/example.tfvars explains it)"
    if summary == "Value for undeclared variable":
        name = quoted(detail)
        return (
            f'{shown} line {line_of(name, form)}: there is no setting "{name}": mend its name '
            "(environments/example.tfvars has them all)"
        )
    if summary == "Invalid value for variable":
        return f"{where}: {detail.split(' This was checked by the validation rule at')[0]}"
    if summary == "Variables not allowed":
        return f"{where}: put the value in double quotes"
    if diagnostic["severity"] == "warning":
        return None
    return f"{where}: {summary}: {detail}"


def quoted(text):
    return re.search(r'"([^"]*)"', text).group(1)


def line_of(name, form):
    with open(form, encoding="utf-8") as lines:
        return next((number for number, line in enumerate(lines, 1) if line.split("=")[0].strip() == name), "?")


def by_line(complaint):
    found = re.search(r" line (\d+)", complaint)
    return (int(found.group(1)) if found else 0, complaint)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
