"""Addresses of the panel's pages and of what they link to in the API."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode


@dataclass(frozen=True)
class Links:
    """Makes addresses that stay in the caller's tenant and project.

    `prefix` is `/t/<tenant>` where the page was reached by path; `project` is empty for the default one.
    """

    prefix: str = ""
    project: str = ""

    def home(self) -> str:
        return self._to("/")

    def of_project(self, project: str) -> str:
        return Links(self.prefix, project).home()

    def run(self, name: str) -> str:
        return self._to(f"/runs/{quote(name)}")

    def commit(self, commit: str) -> str:
        return self._to(f"/commits/{quote(commit)}")

    def change(self, change: str) -> str:
        return self._to(f"/changes/{quote(change)}")

    def model(self, name: str, version: str | int = "") -> str:
        return self.home() + "#" + model_anchor(name, version)

    def deployment(self, name: str) -> str:
        return self.home() + f"#deployment-{quote(name)}"

    def thing(self, noun: str, name: str) -> str:
        """Return the address of what an event is about; empty where it has no page."""
        if noun == "run":
            return self.run(name)
        if noun == "change":
            return self.change(name)
        if noun in {"deployment", "rollout"}:
            return self.deployment(name)
        if noun == "model":
            model, _, version = name.partition("@")
            return self.model(model, version)
        return ""

    def log(self, run: str, task: str) -> str:
        return self._to(f"/api/v1/runs/{quote(run)}/logs", task=task)

    def artifact(self, run: str, task: str, output: str) -> str:
        return self._to(f"/api/v1/runs/{quote(run)}/artifacts/{quote(task)}/{quote(output)}")

    def events(self) -> str:
        return self._to("/api/v1/events")

    def fragment(self, path: str) -> str:
        return self._to(path, fragment="live")

    def static(self, name: str, version: str) -> str:
        return f"{self.prefix}/static/panel/{name}?v={version}"

    def _to(self, path: str, **query: str) -> str:
        known = query | ({"project": self.project} if self.project else {})
        return self.prefix + path + (f"?{urlencode(known)}" if known else "")


def model_anchor(name: str, version: str | int = "") -> str:
    """Return the id of a model, or of one of its versions, on the tenant's page."""
    return f"model-{quote(name)}" + (f"-{version}" if version else "")
