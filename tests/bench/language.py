"""What the language and its translation cost: cold processes on generated repositories, beside the plain way."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import yaml
from rich.table import Table

from intents.identity import identify
from intents.reading import read
from tests.bench.plan import measure_plan
from tests.bench.repository import generate, only_tenants, write
from tests.bench.tables import MIB, ROOT, Cold, cold, ordain, table, timed

SIZES = (1_000, 10_000, 50_000)
RUNS = {1_000: 5, 10_000: 5, 50_000: 3}
TENANTS = 1_000
READS = 2_000


def tables(folder: Path) -> Iterator[Table]:
    """Measure everything in repositories below `folder`."""
    repositories = {size: _repository(folder / f"intents-{size}", generate(size)) for size in SIZES}
    tenants = _repository(folder / "tenants", only_tenants(TENANTS))
    validated = {size: cold(ordain("validate", root), RUNS[size]) for size, root in repositories.items()}
    rendered = {size: cold(ordain("render", root), RUNS[size]) for size, root in repositories.items()}
    yield _limits(validated, rendered, cold(ordain("render", tenants), RUNS[SIZES[0]]))
    yield _growth(validated, rendered)
    yield _beside_the_plain_way(repositories[10_000], validated[10_000])
    yield measure_plan(folder / "plan")
    yield measure_reading()


def _limits(validated: dict[int, Cold], rendered: dict[int, Cold], tenants: Cold) -> Table:
    found = table("the language, cold processes", "", "at most", "fastest", "median", "CPU", "peak memory")
    found.add_row("validate 10,000 intents", "2.5 s", *validated[10_000].cells)
    found.add_row("validate 50,000 intents", "8 s, 500 MiB", *validated[50_000].cells)
    found.add_row("render 10,000 intents", "1.5 s", *rendered[10_000].cells)
    found.add_row(f"render {TENANTS:,} tenants without workloads", "2 s", *tenants.cells)
    return found


def _growth(validated: dict[int, Cold], rendered: dict[int, Cold]) -> Table:
    found = table("how cost grows", "intents", "validate", "µs each", "render", "µs each", "peak memory", "KiB each")
    for size in SIZES:
        one, other = validated[size], rendered[size]
        found.add_row(
            f"{size:,}",
            f"{one.fastest:.2f} s",
            f"{1e6 * one.fastest / size:.0f}",
            f"{other.fastest:.2f} s",
            f"{1e6 * other.fastest / size:.0f}",
            f"{one.peak_bytes / MIB:.0f} MiB",
            f"{one.peak_bytes / 1024 / size:.1f}",
        )
    return found


def _beside_the_plain_way(root: Path, validated: Cold) -> Table:
    """Compare in one run; the plain way takes so long that it is run once, and checks nothing across documents."""
    _commit(root)
    changed = cold(ordain("validate", root, "--base", "HEAD", "--changed-only"), RUNS[10_000])
    plain = cold(["-m", "tests.bench.plain_validation", root, ROOT / "platform" / "schemas"], 1)
    found = table("10,000 intents, nothing changed since HEAD", "by", "seconds", "ordain is faster")
    found.add_row("ordain validate", f"{validated.fastest:.2f}", "")
    found.add_row("ordain validate --base HEAD --changed-only", f"{changed.fastest:.2f}", "")
    ratio = f"{plain.fastest / validated.fastest:.0f} times"
    found.add_row("PyYAML, jsonschema, git diff: each document alone", f"{plain.fastest:.2f}", ratio)
    return found


def measure_reading() -> Table:
    """Reading with strict rules and validation, beside PyYAML alone."""
    every = [(path, body) for path, body in generate(10 * READS).items() if identify(path)]
    intents = every[-READS:]
    seconds = timed(lambda: [read(path, body) for path, body in intents])[0]
    found = table(f"reading {READS:,} intents, one process", "by", "a second", "ordain is faster")
    found.add_row("ordain: strict and validated", f"{READS / seconds:,.0f}", "")
    for what, loader in (("CSafeLoader", yaml.CSafeLoader), ("SafeLoader", yaml.SafeLoader)):
        others = timed(partial(_load_all, intents, loader))[0]
        found.add_row(f"PyYAML, {what}: values alone", f"{READS / others:,.0f}", f"{others / seconds:.1f} times")
    return found


def _load_all(intents: list[tuple[str, bytes]], loader: type[yaml.SafeLoader | yaml.CSafeLoader]) -> None:
    for _, body in intents:
        yaml.load(body, loader)  # noqa: S506 - one of the safe ones


def _repository(root: Path, files: dict[str, bytes]) -> Path:
    write(files, root)
    return root


def _commit(root: Path) -> None:
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    for words in (("init", "--quiet"), ("add", "--all"), (*who, "commit", "--quiet", "--message", "All")):
        subprocess.run(["git", *words], cwd=root, check=True)
