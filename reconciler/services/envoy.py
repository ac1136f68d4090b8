"""Envoy: one listener for people, its routes and clusters read from files that the edge driver writes.

Field meanings: Envoy 1.40, `envoy.config.bootstrap.v3.Bootstrap` and `…http_connection_manager.v3`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from reconciler.services.commands import packaged_program
from reconciler.services.files import write_document
from reconciler.services.part import Part
from reconciler.services.probes import http_status_on_socket
from reconciler.services.settings import HOST

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.process_identity import ProcessIdentity
    from reconciler.services.settings import Settings

ROUTE_CONFIGURATION = "edge"
# Who a request is from and for is said by the edge alone; a client's own word is removed before routing.
TRUSTED_HEADERS = (
    "x-tenant-id",
    "x-project-id",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
)
_TYPE = "type.googleapis.com/"
_HTTP = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_MUTATION = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_STDOUT = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
_ROUTES = "envoy.config.route.v3.RouteConfiguration"


def envoy(settings: Settings) -> Part:
    layout = settings.layout
    bootstrap = layout.envoy / "bootstrap.json"

    async def prepare() -> None:
        write_document(bootstrap, _bootstrap(settings))
        _write_if_absent(layout.envoy_rds, [{"@type": _TYPE + _ROUTES, "name": ROUTE_CONFIGURATION}])
        _write_if_absent(layout.envoy_cds, [])

    async def probe(_: ProcessIdentity) -> bool:
        return await http_status_on_socket(layout.envoy_admin_socket, "/ready") == HTTPStatus.OK

    # An update with an unknown field would else be taken, without the field and what it means.
    flags = ("--disable-hot-restart", "--reject-unknown-dynamic-fields", "--log-level", "warning")
    return Part(
        name="envoy",
        argv=(
            str(packaged_program("envoy", "_bin", "envoy")),
            "-c",
            str(bootstrap),
            "--concurrency",
            "2",
            *flags,
        ),
        cwd=layout.envoy,
        log=layout.log("envoy"),
        address=f"http://{HOST}:{settings.edge_port}",
        probe=probe,
        prepare=prepare,
        litter=(layout.envoy_admin_socket,),
    )


def _write_if_absent(path: Path, resources: list[dict[str, Any]]) -> None:
    if not path.exists():
        write_document(path, {"version_info": "0", "resources": resources})


def _bootstrap(settings: Settings) -> dict[str, Any]:
    return {
        "node": {"id": "edge", "cluster": "ordain"},
        "admin": {"address": {"pipe": {"path": str(settings.envoy_admin_socket), "mode": 0o600}}},
        "dynamic_resources": {"cds_config": _file(settings.layout.envoy_cds)},
        "static_resources": {"listeners": [_listener(settings)]},
    }


def _listener(settings: Settings) -> dict[str, Any]:
    manager = {"name": "http", "typed_config": {"@type": _TYPE + _HTTP, **_connection_manager(settings)}}
    return {
        "name": "edge",
        "address": {"socket_address": {"address": HOST, "port_value": settings.edge_port}},
        # Else a second program could listen on the same port and take half of the requests.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": [{"filters": [manager]}],
    }


def _connection_manager(settings: Settings) -> dict[str, Any]:
    mutations = [{"remove": name} for name in TRUSTED_HEADERS]
    return {
        "stat_prefix": "edge",
        "server_name": "ordain",
        "rds": {"route_config_name": ROUTE_CONFIGURATION, "config_source": _file(settings.layout.envoy_rds)},
        "http_filters": [{"name": "router", "typed_config": {"@type": _TYPE + _ROUTER}}],
        "early_header_mutation_extensions": [
            {"name": "trusted-headers", "typed_config": {"@type": _TYPE + _MUTATION, "mutations": mutations}}
        ],
        # One path, one spelling: a route that refuses a path refuses every way to write it.
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "idle_timeout": "3600s",
        },
        "strip_trailing_host_dot": True,
        "use_remote_address": True,
        "request_headers_timeout": "10s",
        # A stream of events may be silent for long; the API writes a comment line into it now and then.
        "stream_idle_timeout": "0s",
        "access_log": [_failures_to_stdout()],
    }


def _failures_to_stdout() -> dict[str, Any]:
    server_error = {"op": "GE", "value": {"default_value": 500, "runtime_key": "edge.log.from_status"}}
    return {
        "name": "failures",
        "filter": {"status_code_filter": {"comparison": server_error}},
        "typed_config": {"@type": _TYPE + _STDOUT},
    }


def _file(path: Path) -> dict[str, Any]:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
