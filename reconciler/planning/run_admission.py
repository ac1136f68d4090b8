"""Which ledger rows the runs of a commit become."""

from __future__ import annotations

from uuid import UUID

from intents.identity import run_uid
from intents.kinds.run import Desired, RunSpec
from intents.reading import Document
from reconciler.planning.runs import RunRow, RunState, RunUid


def admitted_run(repository: UUID, document: Document, commit: str, author: str) -> RunRow:
    """Return the row of the attempt that a Run document asks for."""
    spec, identity = document.spec, document.identity
    if not isinstance(spec, RunSpec):
        raise TypeError(document.path)
    return RunRow(
        uid=RunUid(run_uid(repository, document.path)),
        attempt=spec.attempt,
        tenant=identity.tenant,
        project=identity.project,
        name=identity.name,
        path=document.path,
        commit=commit,
        template=spec.template,
        parameters=spec.parameters,
        register_model=spec.register_.model if spec.register_ else "",
        register_output=(spec.register_.output or "") if spec.register_ else "",
        cancelled=spec.desired is Desired.CANCELLED,
        state=RunState.CREATED,
        fence=0,
        requested_by=author,
    )
