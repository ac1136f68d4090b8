"""What commits say: the trailers by which what a request led to is found again, in git alone."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.planning.writing import Accepted, Merging, Proposed, WriteRequest

WHEN_APPROVED = "when-approved"
PUSHED_BY = "Ordain-Pushed-By"
"""Who pushed a commit, as authenticated; its author is what git was told."""


def commit_message(accepted: Accepted) -> str:
    """Return subject, body and trailers of a commit on main."""
    more = [] if accepted.merges is None else _of_merging(accepted.merges)
    return _message(accepted.request, [*_of_request(accepted.request), *more, *_of_files(accepted)])


def change_message(proposed: Proposed, base: str) -> str:
    """Return subject, body and trailers of a commit on the branch of a change, decided on the commit `base` of main."""
    request = proposed.request
    more = [
        f"Ordain-Change: {proposed.change}",
        f"Ordain-Base: {base}",
        f"Ordain-Project: {request.tenant}/{request.project}",
    ]
    if request.merge_when_approved:
        more.append(f"Ordain-Merge: {WHEN_APPROVED}")
    return _message(request, [*_of_request(request), *more, *_of_files(proposed)])


def _of_request(request: WriteRequest) -> Iterator[str]:
    yield f"Ordain-Request: {request.id}"
    if request.key is not None:
        yield f"Ordain-Key: {request.key.to_trailer()}"
    if request.author is not None:
        yield f"{PUSHED_BY}: {request.principal.user}"
    if request.on_behalf_of:
        yield f"Ordain-On-Behalf-Of: {request.on_behalf_of}"
    if request.cause:
        yield f"Ordain-Cause: {request.cause}"


def _of_merging(merging: Merging) -> list[str]:
    approvals = [f"Ordain-Approved-By: {who}" for who in merging.approved_by]
    return [f"Ordain-Change: {merging.change}", *approvals, f"Ordain-Merged-By: {merging.merged_by}"]


def _of_files(decided: Accepted | Proposed) -> Iterator[str]:
    return (f"Ordain-Intent: {path}" for path in sorted(decided.files))


def _message(request: WriteRequest, trailers: list[str]) -> str:
    paragraphs = [_one_line(request.subject), request.body.strip(), "\n".join(map(_one_line, trailers))]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _one_line(text: str) -> str:
    """Keep a value from beginning a trailer of its own."""
    return " ".join(text.split())
