"""A report for other programs: JSON, SARIF and the workflow commands of GitHub Actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from api.cli.report import Form, Report
from api.cli.report_text import to_text
from api.problem_text import shown
from intents.catalogue import CATALOGUE
from intents.problems import Problem, Severity


def to_json(report: Report) -> str:
    """Return the report as one object. It is the same for the same state: the time it took is left out."""
    document = {
        "intents": report.intents,
        "errors": report.errors,
        "warnings": report.warnings,
        "problems": [_plain(each) for each in report.problems],
        "notChecked": list(report.not_checked),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _plain(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "field": problem.field,
        "message": problem.told,
        "hint": problem.hint,
    }


def to_sarif(report: Report) -> str:
    """Return the report as a SARIF log.

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html, sections 3.27 (result) and 3.49 (rule).
    """
    codes = sorted({each.code for each in report.problems})
    driver = {
        "name": "ordain",
        "semanticVersion": version("ordain"),
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(report, each, codes.index(each.code)) for each in report.problems],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    explanation = CATALOGUE[code]
    return {
        "id": code,
        "shortDescription": {"text": explanation.meaning},
        "help": {"text": explanation.remedy},
    }


def _result(report: Report, problem: Problem, rule: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(report.root + problem.path)}}
    if problem.line:
        place["region"] = {"startLine": problem.line, "startColumn": problem.column}
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.severity.value,
        "message": {"text": _with_hint(problem)},
        "locations": [{"physicalLocation": place}],
    }


def to_github(report: Report) -> str:
    """Return a command a line for each problem.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
    """
    lines = [_command(report, each) for each in report.problems]
    counts = f"{report.intents} intents, {report.errors} problems, {report.warnings} warnings"
    return "\n".join([*lines, counts])


def _command(report: Report, problem: Problem) -> str:
    properties: dict[str, object] = {"file": report.root + problem.path}
    if problem.line:
        properties |= {"line": problem.line, "col": problem.column}
    properties["title"] = problem.code
    named = ",".join(f"{key}={str(value).translate(_IN_PROPERTIES)}" for key, value in properties.items())
    return f"::{_GITHUB[problem.severity]} {named}::{_with_hint(problem).translate(_IN_DATA)}"


_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning"}
# As actions/toolkit, packages/core/src/command.ts, escapes them.
_IN_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = _IN_DATA | str.maketrans({":": "%3A", ",": "%2C"})


def _with_hint(problem: Problem) -> str:
    """Return what people read on GitHub's pages and in its logs: nothing of it changes how they look."""
    return shown(f"{problem.told} ({problem.hint})" if problem.hint else problem.told)


FORMS: Mapping[Form, Callable[[Report], str]] = {
    Form.TEXT: to_text,
    Form.JSON: to_json,
    Form.SARIF: to_sarif,
    Form.GITHUB: to_github,
}
