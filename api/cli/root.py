"""Which repository a command is about."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from reconciler.services.target import LOCAL, Target

root_option = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True),
    default=".",
    show_default="this folder",
    help="The folder with platform/, tenants/ and templates/; state goes to .ordain/ below it.",
)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a cluster; it gets them as `target`."""

    @click.option(
        "--cluster", default=LOCAL, show_default=True, help="The Cluster to act on: what its intent calls it."
    )
    @click.option(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False, path_type=Path, resolve_path=True),
        envvar="ORDAIN_KUBECONFIG",
        help="Credentials for a cluster on Kubernetes; read where they lie. Inside the cluster: the pod's own account.",
    )
    @click.option("--context", help="A context of the kubeconfig.  [default: its current one]")
    @wraps(command)
    def with_target(*, cluster: str, kubeconfig: Path | None, context: str | None, **options: Any) -> Any:
        return command(target=Target(cluster, kubeconfig, context), **options)

    return with_target
