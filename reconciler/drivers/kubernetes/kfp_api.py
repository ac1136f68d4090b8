"""The API server of Kubeflow Pipelines 2.17, asked through kfp_server_api; its answers sorted by what to do about them.

kfp_server_api blocks, so it is called on threads; importing it takes a third of a second, so that is done with the
first call. Answers are read as JSON and not as its models, which cost more time and lose what they do not know.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from threading import Lock
from typing import Any

from pydantic_core import from_json

from reconciler.ports.errors import Ambiguous, Rejected, Stalled, Waiting

Json = dict[str, Any]
Token = Callable[[], str]
"""Returns the token as it is now, or nothing where none is needed; may block."""

CONNECTIONS = 16
READ_SECONDS = (2.0, 3.0)
"""To connect and to be answered: GET by id takes a server with 20,000 runs 10 ms."""
WRITE_SECONDS = (2.0, 5.0)
"""With what comes before it less than a run's lease. A server without Kubernetes says so after 1.0 s."""
LIST_SECONDS = (2.0, 30.0)
PAGE = 200
"""The most that the server gives at once."""

_ABORTED = 10
"""gRPC's code for a request that makes no sense as things stand; HTTP 409."""
_REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.FOUND}
"""A proxy in front of KFP sends whom it does not know to a page for people."""


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, text: str, code: int = 0) -> None:
        """Keep the HTTP status, the innermost text and gRPC's code."""
        super().__init__(f"{status}: {text}")
        self.status, self.text, self.code = status, text, code


class Unsent(Exception):
    """The server was not reached; nothing was asked of it."""


class Unanswered(Exception):
    """The server may or may not have done what it was asked."""


class KfpApi:
    """Asks one API server, as the owner of one token."""

    def __init__(self, endpoint: str, token: Token | None = None) -> None:
        """Talk to the server at `endpoint`. `token` is read before the first call, and again whenever it is refused."""
        self.endpoint = endpoint.rstrip("/")
        self._token = token
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="kfp")
        self._lock = Lock()
        self._services: _Services | None = None

    async def multi_user(self) -> bool:
        """Whether experiments belong to namespaces."""
        found = await self._read(lambda to: to.healthz.healthz_service_get_healthz, _request_timeout=READ_SECONDS)
        return bool(found.get("multi_user"))

    async def run(self, run_id: str) -> Json | None:
        """Return a run, or None where there is no row of it; which is no proof that nothing of it exists."""
        try:
            return await self._read(lambda to: to.runs.run_service_get_run, run_id, _request_timeout=READ_SECONDS)
        except LookupError:
            return None

    async def create_run(self, body: Mapping[str, Any]) -> None:
        """Make a run. Raises LookupError where its experiment is gone, Rejected for what will never be taken.

        Raises Ambiguous for everything after which the run may exist: the server makes the Workflow first.
        """
        try:
            await self._call(lambda to: to.runs.run_service_create_run, dict(body), _request_timeout=WRITE_SECONDS)
        except Unanswered as error:
            raise Ambiguous(f"KFP did not answer: {error}") from error
        except Refused as refused:
            raise _about_creation(refused) from refused

    async def terminate(self, run_id: str) -> None:
        """Stop a run. One that is not there or has ended is left alone; raises Waiting where it is not known."""
        try:
            await self._call(lambda to: to.runs.run_service_terminate_run, run_id, _request_timeout=WRITE_SECONDS)
        except Unanswered as error:
            raise self._waiting(error) from error
        except Refused as refused:
            # 400 where the row is in no state to be stopped, which is also so right after it was.
            if refused.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
                raise self._waiting(refused) from refused

    async def archive(self, run_id: str) -> None:
        """Take a run out of lists; it stays, and goes on if it has not ended."""
        await self._read(lambda to: to.runs.run_service_archive_run, run_id, _request_timeout=WRITE_SECONDS)

    async def runs(self, experiment_id: str) -> list[Json]:
        """Return the runs of an experiment that are not archived. Raises LookupError where the experiment is gone."""
        wanted = {"key": "storage_state", "operation": "EQUALS", "string_value": "AVAILABLE"}
        found: list[Json] = []
        token = ""
        while True:
            page = await self._read(
                lambda to: to.runs.run_service_list_runs,
                experiment_id=experiment_id,
                filter=json.dumps({"predicates": [wanted]}),
                page_size=PAGE,
                page_token=token,
                sort_by="created_at desc",
                _request_timeout=LIST_SECONDS,
            )
            found += page.get("runs", [])
            if not (token := page.get("next_page_token", "")):
                return found

    async def experiment(self, name: str, namespace: str) -> str | None:
        """Return the id of an experiment by its display name, or None."""
        wanted = {"key": "display_name", "operation": "EQUALS", "string_value": name}
        query = {"filter": json.dumps({"predicates": [wanted]}), **({"namespace": namespace} if namespace else {})}
        found = await self._read(
            lambda to: to.experiments.experiment_service_list_experiments, **query, _request_timeout=READ_SECONDS
        )
        return next((str(each["experiment_id"]) for each in found.get("experiments", [])), None)

    async def create_experiment(self, body: Mapping[str, Any]) -> str | None:
        """Make an experiment and return its id, or None where one of that name is there already."""
        try:
            made = await self._call(
                lambda to: to.experiments.experiment_service_create_experiment,
                dict(body),
                _request_timeout=WRITE_SECONDS,
            )
        except Unanswered as error:
            raise self._waiting(error) from error
        except Refused as refused:
            if refused.status != HTTPStatus.CONFLICT:
                raise self._waiting(refused) from refused
            return None
        return str(made["experiment_id"])

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _read(self, method: Callable[[_Services], Any], *words: Any, **options: Any) -> Json:
        """Call what may be repeated; raises LookupError for 404, Waiting for whatever may pass."""
        try:
            return await self._call(method, *words, **options)
        except Unanswered as error:
            raise self._waiting(error) from error
        except Refused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                raise LookupError(refused.text) from refused
            raise self._waiting(refused) from refused

    async def _call(self, method: Callable[[_Services], Any], *words: Any, **options: Any) -> Json:
        """Call the server, once more with a fresh token where it refuses the one there was."""
        for again in (False, True):
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, self._ask, method, words, options, again)
            except Unsent as error:
                raise self._waiting(error) from error
            except Refused as refused:
                if refused.status not in _REFUSALS:
                    raise
                said = refused.text
        raise Stalled(f"KFP at {self.endpoint} refuses whoever asks: {said}; renew the token or give it the rights")

    def _ask(self, method: Callable[[_Services], Any], words: Any, options: Any, fresh: bool) -> Json:  # noqa: FBT001 - by position, from a thread pool
        services = self._connected()
        if fresh and self._token is not None:
            services.authenticate(self._token())
        return services.ask(method(services), words, options)

    def _connected(self) -> _Services:
        with self._lock:
            if self._services is None:
                made = _Services(self.endpoint)
                if self._token is not None:
                    made.authenticate(self._token())
                self._services = made
            return self._services

    def _waiting(self, error: Exception) -> Waiting:
        return Waiting(f"KFP at {self.endpoint}: {error}")


class _Services:
    """kfp_server_api's services for one server. Making it imports them."""

    def __init__(self, endpoint: str) -> None:
        import kfp_server_api as kfp  # noqa: PLC0415 - late: see above
        from urllib3.exceptions import ConnectTimeoutError, HTTPError  # noqa: PLC0415 - with it

        self._refused, self._unsent, self._unanswered = kfp.ApiException, ConnectTimeoutError, HTTPError
        self._configuration = kfp.Configuration(host=endpoint)
        # Repeating is decided by whoever knows what it would do; a token follows no redirect.
        self._configuration.retries = False
        self._configuration.connection_pool_maxsize = CONNECTIONS
        client = kfp.ApiClient(self._configuration)
        self.runs = kfp.RunServiceApi(client)
        self.experiments = kfp.ExperimentServiceApi(client)
        self.healthz = kfp.HealthzServiceApi(client)

    def authenticate(self, token: str) -> None:
        """Send this token from now on."""
        self._configuration.api_key = {"authorization": token} if token else {}
        self._configuration.api_key_prefix = {"authorization": "Bearer"}

    def ask(self, method: Callable[..., Any], words: Any, options: Any) -> Json:
        """Return the JSON of a success. Raises Refused, Unsent, Unanswered."""
        try:
            answer = method(*words, _preload_content=False, **options)
            return dict(from_json(answer.data or b"{}"))
        except self._refused as error:
            raise _refused(error.status, error.body or "", error.reason) from error
        except self._unsent as error:
            raise Unsent(str(error)) from error
        except self._unanswered as error:
            raise Unanswered(str(error)) from error
        except ValueError as error:
            raise Unanswered(f"what it said is no JSON: {error}") from error
        except AttributeError as error:
            # kfp_server_api 2.17.3 falls over its own error where TLS fails, and that is all that is left of it.
            raise Unanswered(str(getattr(error.__context__, "reason", error))) from error


def _refused(status: int, body: str, reason: str) -> Refused:
    """Read an error. The gateway's own have no details, and a proxy's are no JSON."""
    try:
        said = json.loads(body)
        details = said.get("details") or [{}]
        inner = details[0].get("message", "")
        # A 500 keeps its innermost text to itself; the outer one has all of it.
        text = said["message"] if status >= HTTPStatus.INTERNAL_SERVER_ERROR or not inner else inner
        return Refused(status, str(text).partition("\n")[0], int(said.get("code", 0)))
    except (ValueError, KeyError, AttributeError, TypeError):
        return Refused(status, reason or body[:200])


def _about_creation(refused: Refused) -> Exception:
    """Return what an answer to the creation of a run means.

    4xx come before anything was made. 500 comes for wrong requests too, but also after the Workflow was made.
    """
    match refused.status:
        case HTTPStatus.NOT_FOUND:
            return LookupError(refused.text)
        case HTTPStatus.BAD_REQUEST:
            return Rejected(f"KFP refuses it: {refused.text}")
        case HTTPStatus.CONFLICT if refused.code == _ABORTED:
            return Rejected(f"KFP refuses it: {refused.text}")
        case _:
            return Ambiguous(f"KFP answered {refused}")
