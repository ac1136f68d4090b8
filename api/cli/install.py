"""The command `ordain install`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import yaml

from api.cli.refusals import readable
from api.cli.rendered_folder import replace
from api.cli.rendering import state_of
from intents.hints import nearest
from intents.kinds import Kind
from intents.tree import Tree
from renderers.canonical import Manifest
from renderers.installation import Stage, installation, to_stream

ARGO_CD_SETTINGS = "platform/install/argo-cd.yaml"
"""What Argo CD is to know of the kinds that are rendered; people may have changed it."""


@click.command()
@click.argument(
    "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", metavar="[DIR]"
)
@click.option("--cluster", required=True, metavar="NAME", help="The Cluster to prepare; its driver is kubernetes.")
@click.option("--ref", metavar="REF", help="Read this commit, not the files of the folder.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write DIR/….")
def install(directory: Path, cluster: str, ref: str | None, out: Path | None) -> None:
    """Print what a cluster needs once, or write it into a folder, for whoever administers the cluster to apply.

    Apply it in order, by `kubectl apply --server-side --field-manager=ordain`. It holds no credential. Applying it
    again changes nothing; after it, Argo CD applies what is committed.
    """
    with readable():
        tree = state_of(directory, ref).tree
        stages = _stages(tree, cluster)
        files = {name: to_stream(manifests) for name, manifests in stages}
        if (settings := _argo_cd_settings(directory, tree, cluster)) is not None:
            files["0-argo-cd.yaml"] = to_stream([settings])
        if out is None:
            sys.stdout.buffer.write(b"---\n".join(body for _, body in sorted(files.items())))
            return
        replace(out, files)
        click.echo(f"{out}: {', '.join(sorted(files))}")


def _stages(tree: Tree, cluster: str) -> list[Stage]:
    names = sorted(each.identity.name for each in tree.of_kind(Kind.CLUSTER).values())
    if cluster not in names:
        raise click.UsageError(f"There is no cluster {cluster}; {nearest(cluster, names, 'clusters')}")
    stages = list(installation(tree, cluster))
    if not stages:
        raise click.UsageError(f"The cluster {cluster} has the driver local: there is nothing to install")
    return stages


def _argo_cd_settings(directory: Path, tree: Tree, cluster: str) -> Manifest | None:
    """Return the settings in Argo CD's own namespace, where the repository has any."""
    file, document = directory / ARGO_CD_SETTINGS, tree.cluster(cluster)
    if not file.is_file() or document is None or document.spec.kubernetes is None:
        return None
    settings: Manifest = yaml.load(file.read_bytes(), yaml.CSafeLoader)
    settings["metadata"]["namespace"] = document.spec.kubernetes.argocd.namespace
    return settings
