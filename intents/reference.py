"""The reference page of all kinds, from the same fields as `ordain explain`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from intents.authority import written_by
from intents.explaining import Field, document
from intents.identity import path_form
from intents.kinds import Kind

_HEAD = """# Kinds of intent

Every document has `apiVersion: ordain.dev/v1alpha1`, `kind`, `metadata` (labels and annotations only: the path is the
name) and the `spec` shown here. `[]` stands for the entries of a list, **bold** for a field that is required, † for one
that cannot change once its intent is committed. `ordain explain KIND.FIELD` says the same in the terminal, with the
limits of each value.
Generated: `python -m intents.reference docs/reference/kinds.md`.
"""


def to_markdown() -> str:
    """Return the page."""
    kinds = [_section(document(kind)) for kind in Kind]
    return "\n".join((_HEAD, _contents(), *kinds))


def _contents() -> str:
    rows = (f"| [{kind}](#{kind.lower()}) | `{path_form(kind)}` | {written_by(kind)} |" for kind in Kind)
    return "\n".join(("| kind | path | written by |", "|---|---|---|", *rows, ""))


def _section(whole: Field) -> str:
    spec = whole.fields[-1]
    head = ("| field | type | |", "|---|---|---|")
    rows = (_row(field, _name(spec, field)) for field in spec.walk())
    return "\n".join((f"## {whole.kind}", "", whole.description, "", *head, *rows, ""))


def _name(spec: Field, field: Field) -> str:
    """Return `versions[].replicas.min`."""
    return ".".join(_parts(spec, field))


def _parts(spec: Field, field: Field) -> Iterator[str]:
    around = spec
    for name in field.path[len(spec.path) : -1]:
        around = next(each for each in around.fields if each.name == name)
        yield f"{name}{'[]' * around.type.count('[]')}"
    yield field.name


def _row(field: Field, name: str) -> str:
    shown = f"**`{name}`**" if field.required else f"`{name}`"
    about = [" ".join(field.description.split())]
    if field.keys:
        about.append(f"Keys: {_listed(field.keys)}.")
    if field.choices:
        about.append(f"One of {_listed(field.choices)}.")
    if field.default is not None:
        about.append(f"Default `{field.default}`.")
    if field.example is not None:
        about.append(f"Such as `{field.example}`.")
    cells = (f"{shown}{' †' if field.immutable else ''}", f"`{field.type}`", " ".join(about))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(to_markdown(), encoding="utf-8")
