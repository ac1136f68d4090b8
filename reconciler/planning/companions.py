"""Files that lie beside intents: the packages of templates, and the sources they were compiled from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from intents.checks.catalog import allowed_images
from intents.documents import Document, of_spec
from intents.identity import identify
from intents.kinds import TemplateSpec
from intents.packages import check_package, package_path
from intents.problems import Problem
from intents.tree import Tree

MOST_BYTES = 1 << 20
"""Of one file; a compiled package has some 10 KiB."""
# Lower case alone: what differs in case only is one file on some machines.
_FILE = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,99}")
_DEPTH = 4
"""templates, name, version, file."""


def is_companion(path: str) -> bool:
    """Whether a file at `path` may lie beside a template through the API."""
    parts = path.split("/")
    return len(parts) == _DEPTH and _template_path(path) is not None and _FILE.fullmatch(parts[-1]) is not None


def companion_problems(before: Tree, after: Tree, files: Mapping[str, bytes | None]) -> Iterator[Problem]:
    """Yield what a change does wrong to packages: each is there, and is the one its template names.

    `files` are all that the change writes, None where it removes one.
    """
    for path, body in files.items():
        if body is not None and is_companion(path) and not path.endswith("/template.yaml"):
            yield from _as_text(path, body)
    for template in _templates(after, files):
        if package := package_path(template):
            yield from _package(before, after, template, package, files)


def _as_text(path: str, body: bytes) -> Iterator[Problem]:
    """A file comes as text, within a size."""
    if len(body) > MOST_BYTES:
        yield Problem("invalid-package", path, 0, 0, f"the file has {len(body)} bytes, at most {MOST_BYTES} fit")
    try:
        if "\0" not in body.decode():
            return
    except UnicodeDecodeError:
        pass
    yield Problem("not-utf8", path, 0, 0, "the file is no plain UTF-8 text")


def _package(
    before: Tree, after: Tree, template: Document[TemplateSpec], path: str, files: Mapping[str, bytes | None]
) -> Iterable[Problem]:
    known = of_spec(before.get(template.path), TemplateSpec)
    body = files.get(path)
    if body is not None:
        return check_package(template, body, allowed_images(after))
    if path not in files and known and known.spec.package == template.spec.package:
        return ()
    name = path.rpartition("/")[2]
    hint = "write both in one change"
    return (template.problem("invalid-package", f"{name} is not beside the template", "spec", "package", hint=hint),)


def _templates(after: Tree, files: Iterable[str]) -> Iterator[Document[TemplateSpec]]:
    """Yield the templates that the files are, or lie beside."""
    paths = dict.fromkeys(found for path in files if (found := _template_path(path)))
    documents = (of_spec(after.get(path), TemplateSpec) for path in paths)
    yield from (each for each in documents if each is not None)


def _template_path(path: str) -> str | None:
    """Return the path of the template whose folder a file lies in."""
    found = f"{path.rpartition('/')[0]}/template.yaml"
    return found if path.startswith("templates/") and identify(found) else None
