"""A platform on this machine that acts on a real cluster: Argo CD reads its git, KServe serves, pods may be made up."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from intents.identity import identify
from intents.writing import dump
from reconciler.planning.hydration import rendered_ref
from reconciler.ports.errors import Conflict
from reconciler.ports.repository import NewCommit
from reconciler.stores.git.repository import GitRepository
from renderers.canonical import to_yaml
from tests.e2e.harness import BASE_DOMAIN, RunningPlatform, Tenant
from tests.fixtures.trees import model_spec
from tests.support.clusters import Cluster, Manifest, until
from tests.support.repositories import NOON, PLATFORM

NAME = "lab"
"""The Cluster intent's."""
SPACE = "acme--fraud"
ARGO_CD = "argocd"
MODEL = "tenants/acme/projects/fraud/models/scaler/{}.yaml"


@dataclass
class Line:
    """One platform and the cluster it acts on."""

    platform: RunningPlatform
    cluster: Cluster
    kubeconfig: Path

    @property
    def acme(self) -> Tenant:
        return self.platform.tenant("acme")

    def install(self) -> None:
        """Apply what `ordain install` says, in its order."""
        out = self.platform.root.parent / "install"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "api.main",
                "install",
                str(self.platform.root),
                "--cluster",
                NAME,
                "--out",
                str(out),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        for file in sorted(out.glob("*.yaml")):
            for manifest in yaml.load_all(file.read_bytes(), yaml.CSafeLoader):
                self.cluster.apply(manifest)

    def up(self) -> None:
        """Start the platform on the cluster, as the account that was installed for it."""
        kubeconfig = self._of_ordain()
        done = self.platform.ordain("up", "--detach", "--cluster", NAME, "--kubeconfig", str(kubeconfig))
        assert done.returncode == 0, done.stdout + done.stderr + self.platform.logs()
        # No resolver but browsers' takes *.localhost for this machine, so Argo CD goes by the edge as by a proxy.
        metadata = {"name": f"ordain-{NAME}", "namespace": ARGO_CD}
        self.cluster.merge(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata},
            {"stringData": {"proxy": self.platform.address}},
        )

    def _of_ordain(self) -> Path:
        """Return a kubeconfig with the rights that `ordain install` gives, and no others."""
        document = yaml.safe_load(self.kubeconfig.read_text())
        user = {"name": "ordain", "user": {"token": self.cluster.token("ordain", "ordain")}}
        context = {"name": "ordain", "context": {"cluster": document["clusters"][0]["name"], "user": "ordain"}}
        document |= {"users": [user], "contexts": [context], "current-context": "ordain"}
        file = self.platform.root.parent / "ordain.kubeconfig"
        file.write_text(yaml.safe_dump(document))
        return file

    def stored(self, api_version: str, kind: str, name: str, space: str = SPACE) -> Manifest | None:
        """Return an object of the cluster."""
        where = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": space}}
        return self.cluster.stored(where)

    def service(self, name: str) -> Manifest | None:
        return self.stored("serving.kserve.io/v1beta1", "InferenceService", name)

    def workload(self, name: str) -> Manifest | None:
        return self.stored("apps/v1", "Deployment", f"{name}-predictor")

    def weights(self, name: str) -> dict[str, int]:
        """Return the weights of a deployment's route, by version."""
        route = self.stored("gateway.networking.k8s.io/v1", "HTTPRoute", name)
        backends = route["spec"]["rules"][0]["backendRefs"] if route else []
        return {each["name"].removeprefix(f"{name}-").removesuffix("-predictor"): each["weight"] for each in backends}

    def synced(self, folder: str = "acme--fraud") -> str:
        """Return the commit of Argo CD's last sync of a folder; at its start that may be a ref's name."""
        application = self.stored("argoproj.io/v1alpha1", "Application", f"{NAME}-{folder}", ARGO_CD) or {}
        operation = application.get("status", {}).get("operationState", {})
        return str(operation.get("syncResult", {}).get("revision", ""))

    def condition(self, deployment: str, kind: str) -> Mapping[str, Any]:
        """Return a condition of a deployment, as people see it."""
        found = self.acme.deployment(deployment)["conditions"]
        return next((each for each in found if each["type"] == kind), {})

    def says(self, deployment: str, kind: str, text: str) -> Mapping[str, Any]:
        """Return a condition once its message holds a text."""

        def said() -> Mapping[str, Any] | None:
            found = self.condition(deployment, kind)
            return found if text in found.get("message", "") else None

        return until(said, f"{kind} of {deployment} to say {text!r}", 120)

    def render(self, path: str, manifest: Manifest | None) -> None:
        """Put a manifest on the rendered branch, or take it off, past the hydrator.

        The hydrator takes away what it did not render, but only when it has something to render.
        """
        repository, ref = GitRepository(self.platform.layout.repository), rendered_ref(NAME)
        commit = NewCommit(PLATFORM, PLATFORM, NOON, "By hand\n", {path: to_yaml(manifest) if manifest else None})

        def put() -> bool:
            head = repository.head(ref)
            (made,) = repository.append("by-hand", head, [commit])
            with suppress(Conflict):
                repository.move(ref, head, made)
            return repository.head(ref) == made

        until(put, f"{path} to be put on the branch")

    def make_secret(self) -> None:
        """Bring what model servers fetch models with, as soon as its namespace is there."""
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
        until(lambda: self.cluster.stored(space), f"the namespace {SPACE}", 120)
        metadata = {"name": "ordain-object-store", "namespace": SPACE}
        keys = {"AWS_ACCESS_KEY_ID": "throw-away", "AWS_SECRET_ACCESS_KEY": "throw-away"}
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys})

    def end(self) -> None:
        """Take everything off the cluster."""
        for kind in ("ApplicationSet", "Application", "AppProject"):
            self.cluster.delete(
                each | {"metadata": {**each["metadata"], "finalizers": [_FINALIZER]}}
                for each in self.cluster.listed("argoproj.io/v1alpha1", kind, ARGO_CD)
                if each["metadata"]["name"].startswith(f"{NAME}-")
            )
        names = (SPACE, "globex--churn", "ordain-system", "ordain")
        spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]
        self.cluster.delete(each for each in spaces if self.cluster.stored(each))


_FINALIZER = "resources-finalizer.argocd.argoproj.io"


def laid_out(root: Path) -> RunningPlatform:
    """Lay out a root whose projects of acme are on the cluster, with three versions of a model that are facts."""
    platform = RunningPlatform.seeded_at(root)
    there = {
        "argocd": {"namespace": ARGO_CD, "repoURL": f"http://{BASE_DOMAIN}/git/ordain.git"},
        "kfp": {"endpoint": "http://127.0.0.1:1"},
    }
    _write(root, f"platform/clusters/{NAME}.yaml", {"driver": "kubernetes", "kubernetes": there})
    _edit(root / "tenants/acme/projects/fraud/project.yaml", {"cluster": NAME})
    for number in (1, 2, 3):
        spec = model_spec("scaler", str(number))
        _write(root, MODEL.format(number), spec | {"lineage": {"run": "runs/2026-11-23/made", "task": "train"}})
    return platform


def _write(root: Path, path: str, spec: Mapping[str, Any]) -> None:
    identity = identify(path)
    assert identity is not None
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(dump(identity.kind, spec))


def _edit(file: Path, fields: Mapping[str, Any]) -> None:
    document = yaml.safe_load(file.read_text())
    document["spec"] |= fields
    file.write_text(yaml.safe_dump(document))


@contextmanager
def gateway_of(cluster: Cluster) -> Iterator[None]:
    """Play the gateway where none runs: simulated ones accept a route once, a real one accepts each generation."""
    stop = threading.Event()

    def accept() -> None:
        while not stop.wait(0.2):
            for each in cluster.listed("gateway.networking.k8s.io/v1", "HTTPRoute", SPACE):
                if _is_behind(each):
                    cluster.accept(each)

    keeper = threading.Thread(target=accept, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def _is_behind(route: Manifest) -> bool:
    spoken = [each for parent in route.get("status", {}).get("parents", ()) for each in parent["conditions"]]
    return any(each.get("observedGeneration", 0) < route["metadata"]["generation"] for each in spoken)
