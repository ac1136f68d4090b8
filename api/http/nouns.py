"""What the routes of single kinds share: they are thin over the one way to write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field, JsonValue

from api.http.caller import Caller
from api.http.writes import Ask, DryRun, WriteAnswer, Writes, put
from intents.documents import Document
from intents.identity import Identity, identify, path_of, run_uid
from intents.kinds import Spec
from intents.tree import Tree
from intents.writing import dump, rewrite
from reconciler.planning.writing import ABSENT, ANY, WriteRequest, removals


class NamedAnswer(WriteAnswer):
    """A request for one intent, which is known by its name."""

    name: str
    project: str


class RunAnswer(NamedAnswer):
    """A request for something that runs."""

    uid: str = Field(description="what its attempts are known by, everywhere")


def named(answer: WriteAnswer | DryRun, name: str, project: str) -> NamedAnswer | DryRun:
    """Return an answer with the name of what it is about."""
    if isinstance(answer, DryRun):
        return answer
    return NamedAnswer(**answer.model_dump(), name=name, project=project)


def runs_as(answer: WriteAnswer | DryRun, tree: Tree) -> RunAnswer | DryRun:
    """Return an answer with name and uid of the new intent: its path has been fixed since the request was durable."""
    if isinstance(answer, DryRun):
        return answer
    path = answer.paths[0]
    identity = identify(path)
    if identity is None:
        raise LookupError(path)
    uid = str(run_uid(tree.platform.repository.uid, path))
    return RunAnswer(**answer.model_dump(), name=identity.name, project=identity.project, uid=uid)


def add(writes: Writes, identity: Identity, spec: Mapping[str, JsonValue], subject: str) -> Ask:
    """Ask for an intent that is new."""
    return Ask(subject, [put(path_of(identity), dump(identity.kind, spec), writes.asked.expects(ABSENT))])


def put_spec(caller: Caller, writes: Writes, identity: Identity, spec: Mapping[str, JsonValue], subject: str) -> Ask:
    """Ask for an intent's spec; the labels and annotations that it has stay."""
    path = path_of(identity)
    known = caller.tree.get(path)
    content = dump(identity.kind, spec) if known is None else rewrite(known, spec)
    return Ask(subject, [put(path, content, writes.asked.expects(ANY))])


def change_spec(writes: Writes, document: Document, spec: Spec, subject: str) -> Ask:
    """Ask for another spec of a document, if it still is the one that this was decided on."""
    return Ask(subject, [put(document.path, rewrite(document, spec), writes.asked.expects(document.blob))])


def remove(caller: Caller, writes: Writes, document: Document, subject: str) -> Ask:
    """Ask for the removal of a document, with what goes along."""
    return Ask(subject, removals(caller.tree, document, writes.asked.expects(document.blob)))


def expecting(request: WriteRequest, path: str, expects: str) -> WriteRequest:
    """Return a request that expects something else at one of its paths."""
    writes = (replace(write, expects=expects) if write.path == path else write for write in request.writes)
    return replace(request, writes=tuple(writes))
