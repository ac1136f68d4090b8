"""The registry: models and their versions."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from api.http.caller import CallerDep
from api.http.problems import not_found
from api.http.views import Items
from intents.kinds import ModelVersionSpec

router = APIRouter(prefix="/models", tags=["models"])


class ModelView(BaseModel):
    """A model of the registry."""

    name: str
    newest: int
    """The number of its newest version."""


class ModelVersionView(ModelVersionSpec):
    """One version of a model."""

    id: str
    """`name@number`."""
    version: int


@router.get("")
async def list_models(caller: CallerDep) -> Items[ModelView]:
    """Return the project's models with the number of their newest version."""
    tenant, project = caller.tenant, caller.project
    names = caller.tree.models(tenant, project)
    newest = ((name, max(caller.tree.model_versions(tenant, project, name))) for name in names)
    return Items(items=[ModelView(name=name, newest=number) for name, number in newest])


@router.get("/{model}/versions")
async def list_versions(caller: CallerDep, model: str) -> Items[ModelVersionView]:
    """Return the versions of a model, from the first."""
    versions = caller.tree.model_versions(caller.tenant, caller.project, model)
    if not versions:
        raise not_found(f"model {model}")
    return Items(
        items=[
            ModelVersionView(**dict(document.spec), id=f"{model}@{number}", version=number)
            for number, document in versions.items()
        ]
    )
