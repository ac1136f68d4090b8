"""One platform for all end-to-end tests, and what it last said when one of them fails."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.e2e.harness import RunningPlatform, Tenant

_RUNNING: list[RunningPlatform] = []


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A platform of its own, started and ended by the command line; afterwards nothing of it is left.

    Its path is one that people have: with a blank, and not of ASCII alone.
    """
    started = RunningPlatform.seeded_at(tmp_path_factory.mktemp("platform") / "für Ana")
    _RUNNING.append(started)
    started.up()
    try:
        yield started
    finally:
        started.down()


@pytest.fixture(scope="session")
def acme(platform: RunningPlatform) -> Tenant:
    return platform.tenant("acme")


@pytest.fixture(scope="session")
def globex(platform: RunningPlatform) -> Tenant:
    return platform.tenant("globex")


@pytest.fixture(scope="session")
def scalers(acme: Tenant) -> tuple[str, str]:
    """Two versions of one model: the first doubles, the second triples."""
    return acme.make_scaler("scaler", 2), acme.make_scaler("scaler", 3)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and "platform" in getattr(item, "fixturenames", ()):
        for running in _RUNNING:
            report.sections.extend((f"end of {name}", text) for name, text in running.log_tails().items())
    return report
