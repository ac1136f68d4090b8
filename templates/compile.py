"""Compile every template's pipeline.py into the package beside it, and note the package's sha256.

    .venv-tasks/bin/python templates/compile.py [--check] [root ...]

The same source and the same KFP give the same bytes. `--check` writes nothing and fails where a
package is stale.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import re
import sys
import tempfile
from pathlib import Path

from kfp import compiler

TEMPLATES = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile the templates' packages from their sources.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a package is stale")
    parser.add_argument("roots", nargs="*", type=Path, default=[TEMPLATES], help="of <name>/<version>/")
    arguments = parser.parse_args()
    sources = sorted(source for root in arguments.roots for source in root.glob("*/*/pipeline.py"))
    stale = [source for source in sources if refresh(source, write=not arguments.check)]
    for source in stale:
        print(f"{source.parent}: {'stale' if arguments.check else 'compiled'}")
    return 1 if arguments.check and stale else 0


def refresh(source: Path, *, write: bool) -> bool:
    """Bring package and sha256 up to date where `write`; return whether they were not."""
    package = compiled(source)
    manifest = source.with_name("template.yaml")
    described = with_digest(manifest.read_text(encoding="utf-8"), hashlib.sha256(package).hexdigest())
    wanted = {source.with_name("pipeline.yaml"): package, manifest: described.encode()}
    stale = {path: body for path, body in wanted.items() if not path.is_file() or path.read_bytes() != body}
    if write:
        for path, body in stale.items():
            path.write_bytes(body)
    return bool(stale)


def compiled(source: Path) -> bytes:
    """Return the package of the function `pipeline` in `source`."""
    spec = importlib.util.spec_from_file_location("template_source", source)
    if spec is None or spec.loader is None:
        raise ValueError(f"{source} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(module.pipeline, str(target))
        return target.read_bytes()


def with_digest(manifest: str, digest: str) -> str:
    changed, count = re.subn(r'^(\s+sha256: )"[0-9a-f]*"$', rf'\g<1>"{digest}"', manifest, flags=re.MULTILINE)
    if count != 1:
        raise ValueError('template.yaml needs exactly one line `sha256: "…"` below spec.package')
    return changed


if __name__ == "__main__":
    sys.exit(main())
