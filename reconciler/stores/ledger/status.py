"""What was observed of deployments, and the leases of the loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from psycopg.rows import DictRow

from reconciler.planning.events import Fact
from reconciler.planning.observations import ServerState
from reconciler.planning.serving import Condition, Served, ServedVersion
from reconciler.stores.ledger.database import Connection, Database, statements
from reconciler.stores.ledger.events import add_facts
from reconciler.stores.ledger.values import as_json, as_text

SQL = statements("status")

Deployment = tuple[str, str, str]
"""Tenant, project and name."""


class LedgerStatus:
    """The StatusLedger port."""

    def __init__(self, database: Database) -> None:
        """Use the workers' connections."""
        self._database = database

    async def served(self, tenant: str, project: str, deployment: str) -> Served | None:
        """Return what was last observed of a deployment."""
        async with self._database.transaction() as connection:
            found = await connection.execute(SQL["served"], _key((tenant, project, deployment)))
            row = await found.fetchone()
        return None if row is None else served_from_row(row)

    async def record_served(self, served: Served, conditions: Sequence[Condition], commit: str) -> None:
        """Note an observation; a condition that changed is an event, in the same transaction."""
        key = (served.tenant, served.project, served.deployment)
        row = {
            **_key(key),
            "intent_blob": served.intent_blob,
            "rollout_blob": served.rollout_blob,
            "versions": as_json([asdict(version) for version in served.versions]),
            "routed": served.routed,
        }
        async with self._database.transaction() as connection:
            await connection.execute(SQL["put_served"], row)
            for condition in conditions:
                fact = _condition_fact(served, condition, commit)
                await _put_condition(connection, key, condition, commit, fact)

    async def record_condition(
        self, tenant: str, project: str, deployment: str, condition: Condition, commit: str, fact: Fact | None
    ) -> bool:
        """Note one condition and, where it changed, the fact; return whether it changed."""
        async with self._database.transaction() as connection:
            return await _put_condition(connection, (tenant, project, deployment), condition, commit, fact)

    async def forget_deployments(self, keep: Sequence[Deployment]) -> None:
        """Drop the status of all deployments but these."""
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(SQL["deployment_names"])).fetchall()
            for gone in {(row["tenant"], row["project"], row["name"]) for row in rows} - set(keep):
                await connection.execute(SQL["forget_deployment"], _key(gone))
                await connection.execute(SQL["forget_conditions"], _key(gone))


class LedgerLeases:
    """The Leases port."""

    def __init__(self, database: Database) -> None:
        """Use the workers' connections."""
        self._database = database

    async def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; return whether `holder` has it now, for `seconds` from now."""
        row = {"name": name, "holder": holder, "seconds": seconds}
        async with self._database.transaction() as connection:
            return (await connection.execute(SQL["hold_lease"], row)).rowcount == 1

    async def release(self, name: str, holder: str) -> None:
        """Give the lease back early; another holder's lease is untouched."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["release_lease"], {"name": name, "holder": holder})


async def _put_condition(
    connection: Connection, key: Deployment, condition: Condition, commit: str, fact: Fact | None
) -> bool:
    row = {**_key(key), **asdict(condition), "message": as_text(condition.message), "commit": commit}
    changed = (await connection.execute(SQL["put_condition"], row)).rowcount == 1
    if changed and fact is not None:
        await add_facts(connection, [fact])
    return changed


def _condition_fact(served: Served, condition: Condition, commit: str) -> Fact:
    verb = condition.type.lower() if condition.status else f"not-{condition.type.lower()}"
    versions = [{"name": item.name, "model": item.model, "weight": item.weight} for item in served.versions]
    data = {
        "reason": condition.reason,
        "message": condition.message,
        "blob": condition.observed_blob,
        "rollout": served.rollout_blob,
        "versions": versions,
    }
    return Fact(served.tenant, served.project, "deployment", verb, served.deployment, commit, data)


def _key(deployment: Deployment) -> dict[str, str]:
    tenant, project, name = deployment
    return {"tenant": tenant, "project": project, "name": name}


def served_from_row(row: DictRow) -> Served:
    """Read what is served of a deployment."""
    versions = tuple(ServedVersion(**{**item, "state": ServerState(item["state"])}) for item in row["versions"])
    return Served(
        row["tenant"],
        row["project"],
        row["name"],
        row["intent_blob"],
        row["rollout_blob"],
        versions,
        row["routed"],
    )
