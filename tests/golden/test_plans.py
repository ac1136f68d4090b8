from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from api.cli.plan_text import PlanText
from reconciler.planning.plan import to_json
from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.markdown import to_markdown
from tests.fixtures.changes import Situation, situations
from tests.golden.golden_files import check_golden


def in_terminal(plan: ChangePlan, width: int) -> str:
    output = StringIO()
    Console(file=output, width=width).print(PlanText(plan), crop=False, end="")
    return output.getvalue()


@pytest.mark.parametrize(("name", "situation"), situations().items(), ids=situations())
def test_a_plan_reads_as_kept(name: str, situation: Situation) -> None:
    plan = situation.plan()
    files = {
        "plan.txt": in_terminal(plan, 80).encode(),
        "plan.json": to_json(plan, indent=1) + b"\n",
        "plan.md": to_markdown(plan).encode(),
    }
    check_golden(f"plans/{name}", files)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("situation", situations().values(), ids=situations())
def test_a_plan_fits_the_terminal(situation: Situation, width: int) -> None:
    lines = in_terminal(situation.plan(), width).splitlines()
    assert max(map(len, lines)) <= width
    assert [line for line in lines if line != line.rstrip()] == []
