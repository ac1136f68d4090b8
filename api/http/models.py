"""The registry: models and their versions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.http.caller import CallerDep
from api.http.problems import not_found

router = APIRouter(prefix="/models", tags=["models"])


@router.get("")
async def list_models(caller: CallerDep) -> dict[str, Any]:
    """Return the project's models with the number of their newest version."""
    tenant, project = caller.tenant, caller.project
    names = caller.tree.models(tenant, project)
    return {
        "items": [{"name": name, "newest": max(caller.tree.model_versions(tenant, project, name))} for name in names]
    }


@router.get("/{model}/versions")
async def list_versions(caller: CallerDep, model: str) -> dict[str, Any]:
    """Return the versions of a model, from the first."""
    versions = caller.tree.model_versions(caller.tenant, caller.project, model)
    if not versions:
        raise not_found(f"model {model}")
    return {
        "items": [
            {
                "id": f"{model}@{number}",
                "version": number,
                **document.spec.model_dump(mode="json", by_alias=True),
            }
            for number, document in versions.items()
        ]
    }
