"""What the running line costs: starts, memory, runs and deployments, on a platform of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from tests.bench.tables import MIB, percentiles, table, timed
from tests.e2e.harness import RunningPlatform, Tenant, until

RUNS = 50
DEPLOYMENTS = 6


def tables(folder: Path) -> Iterator[Table]:
    """Measure the line, and leave nothing running."""
    running = RunningPlatform.seeded_at(folder / "root")
    try:
        yield measure_start(running)
        yield measure_memory(running)
        yield measure_runs(running.tenant("acme"))
        yield measure_deployments(running.tenant("acme"))
    finally:
        running.down()


def measure_start(running: RunningPlatform) -> Table:
    """First start (databases are made), and a start on what is there."""
    found = table("up → ready", "start", "seconds")
    found.add_row("first", f"{timed(running.up)[0]:.1f}")
    running.down()
    found.add_row("again", f"{timed(running.up)[0]:.1f}")
    return found


def measure_memory(running: RunningPlatform) -> Table:
    """PSS of every part with nothing deployed."""
    status = running.status()
    found = table("idle memory (PSS), nothing deployed", "part", "MiB")
    for part in status.parts:
        found.add_row(part.name, f"{part.memory / MIB:.0f}")
    found.add_row("all", f"{status.memory / MIB:.0f}")
    return found


def measure_runs(acme: Tenant) -> Table:
    """POST → committed (the answer of ?wait=) and POST → submitted (the ledger's own clock)."""
    committed, submitted = [], []
    for number in range(RUNS):
        asked = datetime.now(UTC)
        seconds, _ = timed(lambda number=number: acme.start_run("hello@1.0.0", f"timed-{number}"))  # type: ignore[misc]
        run = acme.succeeded(f"timed-{number}")
        committed.append(seconds)
        submitted.append((datetime.fromisoformat(run["submitted_at"]) - asked).total_seconds())
    found = table(f"POST run, {RUNS} one after another, through Envoy", "until", "p50", "p99")
    found.add_row("committed", *percentiles(committed))
    found.add_row("submitted", *percentiles(submitted))
    return found


def measure_deployments(acme: Tenant) -> Table:
    """PUT of another version → the first answer by that version, through Envoy."""
    models = [acme.make_scaler("bench", 2), acme.make_scaler("bench", 3)]
    acme.deploy("bench", "v0", models[0])
    acme.settled("bench", "v0")
    seconds = []
    for number in range(1, DEPLOYMENTS + 1):
        wanted = float(2 + number % 2)
        began = time.perf_counter()
        acme.deploy("bench", f"v{number}", models[number % 2])
        until(lambda wanted=wanted: acme.scaled("bench", "bench") == wanted, "the new version to answer")  # type: ignore[misc]
        seconds.append(time.perf_counter() - began)
        acme.settled("bench", f"v{number}")
    found = table(f"commit → served change, {DEPLOYMENTS} replacements", "until", "p50", "p99")
    found.add_row("first answer by the new version", *percentiles(seconds))
    return found
