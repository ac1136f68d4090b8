"""The KFP double on the wire: its API below /apis/v2beta1, and of Kubernetes' what looking at Workflows needs."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.kfp_double import Cut, KfpDouble
from tests.support.kfp_wire import (
    INTERNAL,
    INVALID,
    NOT_FOUND,
    UNAUTHENTICATED,
    UNIMPLEMENTED,
    Answer,
    Json,
    Refusal,
    by_gateway,
    paged,
    refused,
)

API = ["apis", "v2beta1"]
WORKFLOWS = ["apis", "argoproj.io", "v1alpha1"]
ADMISSION = ["apis", "admissionregistration.k8s.io", "v1"]
POLICY = "ordain-one-workflow-a-run"
TICK_SECONDS = 0.01
"""How often Workflows are taken a phase further."""
KEYS = {"name": "display_name"}
"""The older names of fields that may be filtered on."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, double: KfpDouble) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.double = double

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that left are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _answer(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            answer = Router(self.server.double, dict(parse_qsl(split.query)), body).answer(
                self.command, [unquote(part) for part in split.path.strip("/").split("/")], self.headers
            )
        except Cut:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        except Refusal as refusal:
            answer = refusal.answer
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Router:
    """One request on its way to the double."""

    def __init__(self, double: KfpDouble, query: dict[str, str], body: bytes) -> None:
        self.double, self.query, self.body = double, query, body

    def answer(self, method: str, path: list[str], headers: Any) -> Answer:
        if path[:2] == API:
            self.double.asked[f"{method} {path[2] if len(path) > 2 else ''}"] += 1
            self._authenticate(headers)
            return Answer(HTTPStatus.OK, self._kfp(method, path[2:]))
        if self.double.kubernetes_down:
            raise Cut
        self.double.asked[f"{method} {path[-1] if path[:3] == WORKFLOWS else 'policy'}"] += 1
        return self._kubernetes(method, path, headers)

    def _authenticate(self, headers: Any) -> None:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if self.double.tokens is not None and token not in self.double.tokens:
            text = "Failed to authenticate token review: Unauthenticated"
            raise refused(UNAUTHENTICATED, f"Failed to authorize the request: {text}", text)

    def _kfp(self, method: str, path: list[str]) -> Json:
        match method, path:
            case "GET", ["healthz"]:
                return {
                    "commit_sha": "unknown", "tag_name": "unknown", "multi_user": self.double.multi_user,
                    "pipeline_store": "database",
                }  # fmt: skip
            case _, ["experiments", *rest]:
                return self._experiments(method, rest)
            case _, ["runs", *rest]:
                return self._runs(method, rest)
            case _:
                raise by_gateway(NOT_FOUND, "Not Found")

    def _experiments(self, method: str, rest: list[str]) -> Json:
        match method, rest:
            case "GET", []:
                with self.double.lock:
                    self.double._reach_database("Failed to list experiments")
                    wanted = self.query.get("namespace", "") if self.double.multi_user else ""
                    found = [each.to_json() for each in self.double.experiments.values() if each.namespace == wanted]
                return paged("experiments", self._filtered(found), self.query)
            case "POST", []:
                with self.double.lock:
                    return self.double.create_experiment(self._json())
            case "GET", [experiment_id]:
                return self.double.experiment(experiment_id).to_json()
            case "POST", [verb]:
                return self._archive_experiment(*verb.rsplit(":", 1))
            case _:
                raise by_gateway(UNIMPLEMENTED, "Method Not Allowed")

    def _archive_experiment(self, experiment_id: str, verb: str) -> Json:
        self.double.experiment(experiment_id).storage_state = "ARCHIVED" if verb == "archive" else "AVAILABLE"
        return {}

    def _runs(self, method: str, rest: list[str]) -> Json:
        match method, rest:
            case "GET", []:
                return self._list_runs()
            case "POST", []:
                return self.double.create_run(self._json())
            case "GET", [run_id]:
                with self.double.lock:
                    return self.double.run(run_id).to_json()
            case "DELETE", [run_id]:
                with self.double.lock:
                    return self.double.delete_run(run_id)
            case "POST", [named] if ":" in named:
                return self._act(*named.rsplit(":", 1))
            case _:
                raise by_gateway(UNIMPLEMENTED, "Method Not Allowed")

    def _act(self, run_id: str, verb: str) -> Json:
        actions: dict[str, Callable[[], Json]] = {
            "terminate": lambda: self.double.terminate(run_id),
            "archive": lambda: self.double.archive(run_id, "ARCHIVED"),
            "unarchive": lambda: self.double.archive(run_id, "AVAILABLE"),
        }
        if verb not in actions:
            raise by_gateway(NOT_FOUND, "Not Found")
        with self.double.lock:
            return actions[verb]()

    def _list_runs(self) -> Json:
        time.sleep(self.double.list_delay)
        with self.double.lock:
            if self.double.database_down:
                text = "dial tcp 127.0.0.1:3306: connect: connection refused"
                listing = "Failed to list runs: Failed to list runs: InternalServerError: Failed to list runs"
                raise refused(INTERNAL, f"{listing}: {text}: {text}", text)
            found = [row.to_json() for row in self.double.rows.values()]
        if experiment := self.query.get("experiment_id"):
            found = [each for each in found if each["experiment_id"] == experiment]
        found = self._filtered(found)
        if self.query.get("sort_by", "").endswith("desc"):
            found.reverse()
        return paged("runs", found, self.query)

    def _filtered(self, found: Sequence[Json]) -> list[Json]:
        for predicate in json.loads(self.query.get("filter") or "{}").get("predicates", []):
            key = KEYS.get(predicate["key"], predicate["key"])
            if key not in {"display_name", "run_id", "experiment_id", "storage_state", "state"}:
                text = f'no support for filtering on unrecognized field "{key}"'
                raise refused(INVALID, f"Failed to create list options: Invalid input error: {text}", text)
            equal = predicate["operation"] in {"EQUALS", 1}
            value = predicate.get("string_value", predicate.get("stringValue"))
            found = [each for each in found if (each.get(key, "") == value) is equal]
        return list(found)

    def _json(self) -> Json:
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            text = "invalid character 'n' looking for beginning of object key string"
            raise by_gateway(INVALID, text) from None
        return found if isinstance(found, dict) else {}

    def _kubernetes(self, method: str, path: list[str], headers: Any) -> Answer:
        match method, path:
            case "GET", [*api, "workflows"] if api == WORKFLOWS:
                return self._list_workflows(metadata_only="PartialObjectMetadata" in headers.get("Accept", ""))
            case "DELETE", [*api, "namespaces", namespace, "workflows", name] if api == WORKFLOWS:
                with self.double.lock:
                    found = self.double.workflows.pop((namespace, name), None)
                return _status(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
            case "GET", [*api, "mutatingadmissionpolicies" | "mutatingadmissionpolicybindings", name] if (
                api == ADMISSION and name == POLICY and self.double.policy
            ):
                return Answer(HTTPStatus.OK, {"metadata": {"name": name}, "spec": {}})
            case _:
                return _status(HTTPStatus.NOT_FOUND)

    def _list_workflows(self, *, metadata_only: bool) -> Answer:
        key, _, value = self.query.get("labelSelector", "").partition("=")
        with self.double.lock:
            found = [each.to_json() for each in self.double.workflows.values()]
        if value:
            found = [each for each in found if each["metadata"]["labels"].get(key) == value]
        if metadata_only:
            found = [{"metadata": each["metadata"]} for each in found]
        items = None if metadata_only and not found else found
        return Answer(HTTPStatus.OK, {"metadata": {"resourceVersion": "1"}, "items": items})


def _status(code: HTTPStatus) -> Answer:
    status = "Success" if code is HTTPStatus.OK else "Failure"
    return Answer(code, {"apiVersion": "v1", "kind": "Status", "status": status, "code": code.value})


@contextmanager
def serving(double: KfpDouble) -> Iterator[str]:
    """Serve the double, its controller and its agent; yield its address."""
    server, ended = _Server(double), threading.Event()

    def work() -> None:
        while not ended.wait(TICK_SECONDS):
            double.work()

    threads = [threading.Thread(target=each, daemon=True) for each in (server.serve_forever, work)]
    for thread in threads:
        thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join()
