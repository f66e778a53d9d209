"""Checks Terraform files against the schema of the provider that they ask for, where that provider cannot be had.

Each resource's and data source's arguments and blocks must exist, those that are required must be there, and so must
each attribute that is referred to. The schema is what HashiCorp generated from hashicorp/aws 6.25.0.

Reads Terraform files as `terraform fmt` writes them: by their indentation.
"""

import pathlib
import re
import zipfile
from collections.abc import Iterator

META = {"count", "for_each", "depends_on", "lifecycle", "provider", "connection", "provisioners"}


class Schema:
    """The names that the provider knows."""

    def __init__(self, wheel: pathlib.Path) -> None:
        self.wheel = zipfile.ZipFile(wheel)
        self.sources: dict[str, str | None] = {}

    def source(self, kind: str) -> str | None:
        """What was generated for a type, if there is such a type."""
        if kind not in self.sources:
            try:
                self.sources[kind] = self.wheel.read(f"cdktf_cdktf_provider_aws/{kind}/__init__.py").decode()
            except KeyError:
                self.sources[kind] = None
        return self.sources[kind]

    def arguments(self, kind: str, name: str | None = None) -> dict[str, tuple[bool, str | None]]:
        """{argument: (required, class of the block or None)} of a type, or of a block's class in it."""
        source = self.source(kind) or ""
        head = rf"^class {name}:" if name else r"^class \w+Config\(\s*_cdktf_\w+\.TerraformMetaArguments,?\s*\):"
        found = re.search(head, source, re.MULTILINE)
        assert found, f"the schema has no {name or 'arguments'} of {kind}"
        signature = source[source.index("def __init__(", found.start()) : source.index(") -> None:", found.start())]
        arguments = {}
        for argument, annotation, default in re.findall(r"^        (\w+): (.*?)( = None)?,$", signature, re.MULTILINE):
            block = re.search(r'typing\.Union\["?(\w+)"?, typing\.Dict', annotation)
            arguments[argument] = (not default, block.group(1) if block else None)
        return arguments

    def attributes(self, kind: str) -> set[str]:
        """The attributes of a type."""
        return set(re.findall(r"^    def (\w+)\(self\) -> ", self.source(kind) or "", re.MULTILINE))


def check_names(infra: pathlib.Path, wheel: pathlib.Path) -> tuple[list[str], int]:
    """A line for each fault in the files of that folder, and how many names were checked."""
    schema, faults, checked = Schema(wheel), [], 0
    for path in sorted(infra.glob("*.tf")):
        text = path.read_text(encoding="utf-8")
        for line, block, kind, body in blocks(text):
            kind = ("data_aws_" if block == "data" else "") + kind
            where = f"{path.name} line {line}, {kind}"
            if schema.source(kind) is None:
                faults.append(f"{where}: the provider knows no such {block}")
            else:
                checked += check_body(schema, kind, None, body, 2, where, faults)
        checked += check_references(schema, path.name, text, faults)
    return faults, checked


def blocks(text: str) -> Iterator[tuple[int, str, str, list[str]]]:
    """(line, "resource" or "data", type, lines of the body) of each."""
    lines = text.splitlines()
    for start, line in enumerate(lines):
        opening = re.match(r'(resource|data) "aws_(\w+)" "\w+" \{$', line)
        if opening:
            end = lines.index("}", start)
            yield start + 1, opening[1], opening[2], lines[start + 1 : end]


def check_body(
    schema: Schema, kind: str, name: str | None, lines: list[str], indent: int, where: str, faults: list[str]
) -> int:
    """The arguments at one indentation; the blocks among them by themselves. Returns how many names were checked."""
    known, seen, checked = schema.arguments(kind, name), set(), 0
    number = 0
    while number < len(lines):
        match = re.match(rf"^ {{{indent}}}(dynamic )?\"?(\w+)\"?( +=| \{{$)", lines[number])
        number += 1
        if not match:
            continue
        dynamic, argument, is_block = match.group(1), match.group(2), match.group(3) == " {"
        body, inner = [], indent + 2
        if is_block:
            end = lines.index(" " * indent + "}", number)
            body, number = lines[number:end], end + 1
        if dynamic:
            start = body.index(" " * inner + "content {") + 1
            body, inner = body[start : body.index(" " * inner + "}", start)], inner + 2
        if argument in META:
            continue
        seen.add(argument)
        checked += 1
        if argument not in known:
            faults.append(f"{where}: the provider knows no '{argument}' there")
        elif is_block and not known[argument][1]:
            faults.append(f"{where}: '{argument}' is no block")
        elif is_block:
            checked += check_body(schema, kind, known[argument][1], body, inner, f"{where}, {argument}", faults)
    missing = [argument for argument, (required, _) in known.items() if required and argument not in seen]
    faults += [f"{where}: '{argument}' is missing" for argument in missing]
    return checked


def check_references(schema: Schema, file: str, text: str, faults: list[str]) -> int:
    """The attributes that a file refers to. Returns how many were checked."""
    code = re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE)
    references = re.findall(r"\b(data\.)?aws_(\w+)\.\w+(?:\[[^\]]*\])?\.(\w+)", code)
    for data, kind, attribute in references:
        kind = ("data_aws_" if data else "") + kind
        if attribute not in schema.attributes(kind):
            faults.append(f"{file}: the provider knows no attribute '{attribute}' of {kind}")
    return len(references)
