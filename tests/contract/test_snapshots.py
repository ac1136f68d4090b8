"""The port Snapshot: one suite on a folder, on a commit of its repository, and on one of a bare repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from intents.writing import blob_id
from reconciler.ports.errors import Stalled
from reconciler.ports.snapshots import Snapshot
from reconciler.stores.folder import FolderSnapshot
from reconciler.stores.git.snapshot import Commits

FILES = {
    "platform/platform.yaml": b"kind: Platform\n",
    "tenants/acme/tenant.yaml": b"kind: Tenant\n",
    "tenants/acme/notes with spaces.txt": "hübsch\n".encode(),
    "templates/train/1.0.0/template.yaml": b"kind: Template\n",
    "templates/train/1.0.0/pipeline.yaml": b"\x00\xff",
    "templates/train/1.0.0/empty.txt": b"",
}
BESIDE = {
    "README.md": b"not ours\n",
    "templates/compile.py": b"not ours\n",
    "templates/train/1.0.0/__pycache__/pipeline.pyc": b"not ours\n",
    "docs/tenants/acme/tenant.yaml": b"not ours\n",
}
Take = Callable[[Path], Snapshot]


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def laid_out(root: Path, files: dict[str, bytes]) -> Path:
    for path, body in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return root


def committed(root: Path) -> Path:
    """Commit everything in the folder, ignored or not."""
    git(root, "init", "--quiet")
    git(root, "add", "--all", "--force")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "All")
    return root


def of_folder(root: Path) -> Snapshot:
    return FolderSnapshot(root)


def of_commit(root: Path) -> Snapshot:
    top = root
    while not (top / ".git").exists() and top != top.parent:
        top = top.parent
    if not (top / ".git").exists():
        committed(root)
    return Commits(root).snapshot("HEAD")


def of_bare(root: Path) -> Snapshot:
    committed(root)
    bare = root.with_name(f"{root.name}.git")
    git(root, "clone", "--quiet", "--bare", ".", str(bare))
    return Commits(bare).snapshot("main")


@pytest.fixture(params=[of_folder, of_commit, of_bare])
def take(request: pytest.FixtureRequest) -> Take:
    made: Take = request.param
    return made


def test_every_file_of_the_repository_and_no_other(take: Take, tmp_path: Path) -> None:
    snapshot = take(laid_out(tmp_path / "root", {**FILES, **BESIDE}))
    assert dict(snapshot.blobs()) == {path: blob_id(body) for path, body in FILES.items()}
    assert {path: snapshot.body(path) for path in FILES} == FILES


def test_a_link_is_a_file_with_its_target_in_it(take: Take, tmp_path: Path) -> None:
    root = laid_out(tmp_path / "root", FILES)
    (root / "tenants" / "out").symlink_to("../../..")
    (root / "tenants" / "file.yaml").symlink_to("/etc/passwd")
    snapshot = take(root)
    assert snapshot.body("tenants/out") == b"../../.."
    assert snapshot.body("tenants/file.yaml") == b"/etc/passwd"
    assert snapshot.blobs().keys() == {*FILES, "tenants/out", "tenants/file.yaml"}


def test_nothing_is_there(take: Take, tmp_path: Path) -> None:
    assert take(laid_out(tmp_path / "root", {"README.md": b""})).blobs() == {}


@pytest.mark.parametrize("name", [b"caf\xe9.yaml", b"bell\x07.yaml", "up\u202edown.yaml".encode()])
def test_a_name_that_cannot_be_shown_stalls(take: Take, tmp_path: Path, name: bytes) -> None:
    root = laid_out(tmp_path / "root", FILES)
    (root / "tenants" / os.fsdecode(name)).write_bytes(b"")
    with pytest.raises(Stalled, match="rename the file"):
        take(root).blobs()


def test_names_elsewhere_do_not_matter(take: Take, tmp_path: Path) -> None:
    root = laid_out(tmp_path / "root", FILES)
    (root / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"")
    assert take(root).blobs().keys() == FILES.keys()


def test_a_folder_inside_a_repository(tmp_path: Path) -> None:
    root = committed(laid_out(tmp_path, {f"docs/examples/{path}": body for path, body in FILES.items()}))
    inside = root / "docs" / "examples"
    assert Commits(inside).snapshot("HEAD").blobs() == FolderSnapshot(inside).blobs()
    assert Commits(root).snapshot("HEAD").blobs() == {}


def test_what_lies_beside_the_intents(tmp_path: Path) -> None:
    root = committed(laid_out(tmp_path, {**FILES, **BESIDE}))
    assert Commits(root).snapshot("HEAD").beside() == {path: blob_id(body) for path, body in BESIDE.items()}


def test_a_special_file_is_passed_over(tmp_path: Path) -> None:
    root = laid_out(tmp_path, FILES)
    os.mkfifo(root / "tenants" / "pipe.yaml")
    assert FolderSnapshot(root).blobs().keys() == FILES.keys()


def test_what_cannot_be_read_stalls(tmp_path: Path) -> None:
    file = laid_out(tmp_path, FILES) / "tenants" / "acme" / "tenant.yaml"
    snapshot = FolderSnapshot(tmp_path)
    file.unlink()
    with pytest.raises(Stalled, match=r"tenant\.yaml cannot be read: No such file"):
        snapshot._read("tenants/acme/tenant.yaml", is_link=False)


def test_a_file_where_a_folder_should_be_stalls(tmp_path: Path) -> None:
    laid_out(tmp_path, {"tenants": b""})
    with pytest.raises(Stalled, match="tenants cannot be read: Not a directory"):
        FolderSnapshot(tmp_path).blobs()


def test_no_repository_stalls(tmp_path: Path) -> None:
    with pytest.raises(Stalled, match="is in no git repository"):
        Commits(tmp_path)


@pytest.mark.parametrize("name", ["nothing", "HEAD~9", "0" * 40, "", "HEAD^{tree}", ":", "a..b", "-x"])
def test_no_commit_stalls(tmp_path: Path, name: str) -> None:
    committed(laid_out(tmp_path, FILES))
    with pytest.raises(Stalled, match="there is no commit"):
        Commits(tmp_path).snapshot(name)


def test_a_repository_without_a_commit_stalls(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(Stalled, match="there is no commit HEAD"):
        Commits(tmp_path).snapshot("HEAD")


def test_a_broken_repository_stalls(tmp_path: Path) -> None:
    root = committed(laid_out(tmp_path / "root", FILES))
    (root / ".git" / "config").write_text("[core\n")
    with pytest.raises(Stalled, match="cannot be opened as a git repository"):
        Commits(root)


def test_a_repository_with_holes_stalls(tmp_path: Path) -> None:
    root = committed(laid_out(tmp_path / "root", FILES))
    commits = Commits(root)
    snapshot, blob = commits.snapshot("HEAD"), git(root, "rev-parse", "HEAD:tenants/acme/tenant.yaml")
    snapshot.blobs()
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(Stalled, match="does not hold all of the commit"):
        snapshot.body("tenants/acme/tenant.yaml")
    tree = git(root, "rev-parse", "HEAD:tenants/acme")
    (root / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(Stalled, match="does not hold all of the commit"):
        Commits(root).snapshot("HEAD").blobs()
