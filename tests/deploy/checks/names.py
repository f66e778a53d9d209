#!/usr/bin/env python3
"""Checks infra/ against the schema of the provider that it asks for, where that provider cannot be had.

    names.py INFRA SCHEMA.WHL

Each resource's and data source's arguments and blocks must exist, those that are required must be there, and so must
each attribute that is referred to. The schema is what HashiCorp generated from hashicorp/aws 6.25.0. Prints a line for
each fault, and at the end how many names were checked.

Reads Terraform files as `terraform fmt` writes them: by their indentation.
"""

import pathlib
import re
import sys
import zipfile

META = {"count", "for_each", "depends_on", "lifecycle", "provider", "connection", "provisioners"}


class Schema:
    def __init__(self, wheel):
        self.wheel = zipfile.ZipFile(wheel)
        self.sources = {}

    def source(self, kind):
        if kind not in self.sources:
            try:
                self.sources[kind] = self.wheel.read(f"cdktf_cdktf_provider_aws/{kind}/__init__.py").decode()
            except KeyError:
                self.sources[kind] = None
        return self.sources[kind]

    def arguments(self, kind, name=None):
        """{argument: (required, class of the block or None)} of a kind, or of a block's class in it."""
        source = self.source(kind)
        head = rf"^class {name}:" if name else r"^class \w+Config\(_cdktf_\w+\.TerraformMetaArguments\):"
        start = re.search(head, source, re.MULTILINE).start()
        signature = source[source.index("def __init__(", start) : source.index(") -> None:", start)]
        found = {}
        for argument, annotation, default in re.findall(r"^        (\w+): (.*?)( = None)?,$", signature, re.MULTILINE):
            block = re.search(r'typing\.Union\["?(\w+)"?, typing\.Dict', annotation)
            found[argument] = (not default, block.group(1) if block else None)
        return found

    def attributes(self, kind):
        return set(re.findall(r"^    def (\w+)\(self\) -> ", self.source(kind), re.MULTILINE))


def blocks(text):
    """(line, "resource" or "data", type, lines of the body) of each."""
    lines = text.splitlines()
    for start, line in enumerate(lines):
        opening = re.match(r'(resource|data) "aws_(\w+)" "\w+" \{$', line)
        if opening:
            end = lines.index("}", start)
            yield start + 1, *opening.groups(), lines[start + 1 : end]


def check_body(schema, kind, name, lines, indent, where, faults):
    """The arguments at one indentation; the blocks among them by themselves. Returns how many names were checked."""
    known, seen, checked = schema.arguments(kind, name), set(), 0
    number = 0
    while number < len(lines):
        match = re.match(rf"^ {{{indent}}}(\w+)( +=| \{{$)", lines[number])
        number += 1
        if not match:
            continue
        argument, is_block = match.group(1), match.group(2) == " {"
        body = []
        if is_block:
            end = lines.index(" " * indent + "}", number)
            body, number = lines[number:end], end + 1
        if argument in META:
            continue
        seen.add(argument)
        checked += 1
        if argument not in known:
            faults.append(f"{where}: the provider knows no '{argument}' there")
        elif is_block and not known[argument][1]:
            faults.append(f"{where}: '{argument}' is no block")
        elif is_block:
            checked += check_body(schema, kind, known[argument][1], body, indent + 2, f"{where}, {argument}", faults)
    for argument, (required, _) in known.items():
        if required and argument not in seen:
            faults.append(f"{where}: '{argument}' is missing")
    return checked


def main(infra, wheel):
    schema, faults, checked = Schema(wheel), [], 0
    for path in sorted(pathlib.Path(infra).glob("*.tf")):
        text = path.read_text()
        for line, block, kind, body in blocks(text):
            kind = ("data_aws_" if block == "data" else "") + kind
            where = f"{path.name} line {line}, {kind}"
            if schema.source(kind) is None:
                faults.append(f"{where}: the provider knows no such {block}")
                continue
            checked += check_body(schema, kind, None, body, 2, where, faults)
        for data, kind, attribute in re.findall(
            r"\b(data\.)?aws_(\w+)\.\w+(?:\[[^\]]*\])?\.(\w+)", re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE)
        ):
            kind = ("data_aws_" if data else "") + kind
            checked += 1
            if schema.source(kind) is None or attribute not in schema.attributes(kind):
                faults.append(f"{path.name}: the provider knows no attribute '{attribute}' of {kind}")
    for fault in faults:
        print(fault)
    print(f"{checked} names checked")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
