"""The client reads what the API says that it answers."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from api.client import errors, views
from tests.fixtures.write_world import write_world

FORMS: dict[type[BaseModel], str] = {
    views.Written: "WriteAnswer",
    views.IntentItem: "IntentItem",
    views.Version: "VersionItem",
    views.Diff: "Diff",
    views.At: "api__http__history__Version",
    views.FieldDifference: "FieldDifference",
    views.Run: "RunDetail",
    views.Task: "TaskView",
    views.Started: "RunAnswer",
    views.Deployment: "DeploymentView",
    views.Served: "ServedVersion",
    views.ModelVersion: "ModelVersionView",
    views.Template: "TemplateView",
    views.Event: "EventView",
    errors.Disputed: "ConflictView",
    errors.Text: "Text",
}
OWN = {"created"}
"""What the client makes of an answer's status."""
OPTIONAL = {"change"}
"""What only some answers have."""


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = write_world(tmp_path_factory.mktemp("world")).app.openapi()["components"]["schemas"]
    return found


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_form_has_fields_that_the_api_answers(form: type[BaseModel], schemas: dict[str, Any]) -> None:
    answered = schemas[FORMS[form]]["properties"]
    read = {field.alias or name for name, field in form.model_fields.items()} - OWN - OPTIONAL
    assert read <= answered.keys()


def test_states_are_those_of_the_api(schemas: dict[str, Any]) -> None:
    refused = {"refused", "parked"}
    assert set(schemas["RequestState"]["enum"]) - refused <= set(views.State)
