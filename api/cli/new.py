"""`ordain new`: a correct, commented starting document at its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import click

from api.cli.refusals import readable
from api.cli.root import root_option
from api.cli.work_tree import tree_in
from intents import starting
from intents.checks import check
from intents.identity import identify
from intents.problems import InvalidIntent, Problem
from intents.reading import read
from intents.starting import CannotStart, Start, Started
from intents.tree import Tree

IN_PROJECT = "TENANT/PROJECT/NAME"
TEMPLATE_HELP = "A template of the catalog: NAME@VERSION, or NAME for the newest."
STARTER_NAME = "starter-template"
"""What the pipeline in starter/ is called until it has a name of its own."""
STARTER_PARAMETERS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "default": "hello", "description": "What to write down."}},
}
LEFT_TO_PERSONS = frozenset({"invalid-parameter"})
"""Problems of what cannot be made up: a parameter with a pattern, say."""

template_option = click.option("--template", required=True, help=TEMPLATE_HELP)


@click.group()
def new() -> None:
    """Write a correct, commented starting document at its place.

    What can be chosen further is in it, commented out. Nothing is overwritten, and nothing is written that
    `ordain validate` would refuse.
    """


@new.command()
@click.argument("name")
@click.option("--project", "first", default="main", show_default=True, help="The project it starts with.")
@click.option("--cluster", help="The cluster of that project; needed where there are several.")
@root_option
def tenant(name: str, first: str, cluster: str | None, root: Path) -> None:
    """Start the tenant NAME, and its first project."""

    def start(tree: Tree) -> list[Started]:
        return [starting.tenant(name, first), starting.project(tree, name, first, cluster)]

    _begin(root, start, "give it `members`")


@new.command()
@click.argument("name", metavar="TENANT/NAME")
@click.option("--cluster", help="The cluster it is on; needed where there are several.")
@root_option
def project(name: str, cluster: str | None, root: Path) -> None:
    """Start the project NAME of TENANT."""
    tenant, own = _parts(name, "TENANT/NAME")
    _begin(root, lambda tree: [starting.project(tree, tenant, own, cluster)], "give it a `quota`")


@new.command()
@click.argument("name", metavar=IN_PROJECT)
@template_option
@root_option
def run(name: str, template: str, root: Path) -> None:
    """Start a run of a template, dated today (UTC)."""
    today = datetime.now(UTC).date().isoformat()
    _begin(root, lambda tree: [starting.run(_at(tree, name), template, today)], "set its `parameters`")


@new.command()
@click.argument("name", metavar=IN_PROJECT)
@template_option
@click.option("--cron", default="0 3 * * *", show_default=True, help="When it fires, in UTC unless changed.")
@root_option
def schedule(name: str, template: str, cron: str, root: Path) -> None:
    """Start a schedule: runs of a template by the clock."""
    _begin(root, lambda tree: [starting.schedule(_at(tree, name), template, cron)], "set the `parameters` of its run")


@new.command("training-job")
@click.argument("name", metavar=IN_PROJECT)
@template_option
@root_option
def training_job(name: str, template: str, root: Path) -> None:
    """Start a training job: a training program on several nodes."""
    _begin(root, lambda tree: [starting.training_job(_at(tree, name), template)], "set `nodes` and `parameters`")


@new.command()
@click.argument("name", metavar=IN_PROJECT)
@click.option("--model", required=True, help="A registered model: NAME@NUMBER, or NAME for the newest version.")
@root_option
def deployment(name: str, model: str, root: Path) -> None:
    """Start a deployment of a model version, with its digest from the tree."""
    _begin(root, lambda tree: [starting.deployment(_at(tree, name), model)], "set `replicas` and `resources`")


@new.command()
@click.argument("name")
@click.argument("version", metavar="MAJOR.MINOR.PATCH")
@click.option("--image", help="Start a training program in this image, instead of a pipeline.")
@root_option
def template(name: str, version: str, image: str | None, root: Path) -> None:
    """Start a template: the source of a KFP pipeline, its package, and what tenants see of it."""
    if image:
        _begin(root, lambda _: [starting.training_template(name, version, image)], "set `command` and `parameters`")
        return

    def start(_: Tree) -> list[Started]:
        package = _starter("pipeline.yaml", name)
        described = starting.pipeline_template(name, version, package, STARTER_PARAMETERS)
        folder = described.path.removesuffix("template.yaml")
        source = starting.Started(f"{folder}pipeline.py", _starter("pipeline.py", name))
        return [described, source, starting.Started(f"{folder}pipeline.yaml", package)]

    _begin(root, start, _how_to_compile(root))


def _starter(file: str, name: str) -> bytes:
    """Return a file of the minimal pipeline; a package is a function of its source, the name included."""
    text = files("api.cli").joinpath("starter", f"{file}.txt").read_text(encoding="utf-8")
    return text.replace(STARTER_NAME, name).encode()


def _how_to_compile(root: Path) -> str:
    compiler = root / "templates" / "compile.py"
    if compiler.is_file():
        return "change pipeline.py, then `python templates/compile.py`, with kfp installed"
    return (
        "change pipeline.py, then `kfp dsl compile --py pipeline.py --output pipeline.yaml` in its folder, "
        "and write the sha256 of pipeline.yaml into template.yaml"
    )


@new.command()
@click.argument("name")
@click.option("--driver", type=click.Choice(["local", "kubernetes"]), default="local", show_default=True)
@click.option("--repo-url", help="Where its Argo CD reads rendered manifests; for --driver kubernetes.")
@click.option("--kfp-endpoint", help="The address of its KFP API server; for --driver kubernetes.")
@root_option
def cluster(name: str, driver: str, repo_url: str | None, kfp_endpoint: str | None, root: Path) -> None:
    """Start a cluster."""
    given = (repo_url is not None, kfp_endpoint is not None)
    if given != ((driver == "kubernetes"),) * 2:
        raise click.UsageError("--driver kubernetes needs --repo-url and --kfp-endpoint, and they need it.")
    kubernetes = {"argocd": {"repoURL": repo_url}, "kfp": {"endpoint": kfp_endpoint}} if all(given) else None
    _begin(root, lambda _: [starting.cluster(name, driver, kubernetes)], "tell its `capacity` and `gpuPools`")


def _at(tree: Tree, name: str) -> Start:

    return Start(tree, *_parts(name, IN_PROJECT))


def _parts(name: str, form: str) -> list[str]:
    parts = name.split("/")
    if len(parts) != form.count("/") + 1 or not all(parts):
        raise click.UsageError(f"`{name}` is not of the form {form}.")
    return parts


def _begin(root: Path, start: Callable[[Tree], Sequence[Started]], advice: str) -> None:
    """Write what `start` makes of the tree below `root`, and say what comes next."""
    with readable():
        tree = tree_in(root)
    try:
        started = start(tree)
    except CannotStart as error:
        raise click.UsageError(str(error)) from error
    except InvalidIntent as error:
        raise click.UsageError("; ".join(problem.message for problem in error.problems)) from error
    _refuse_to_overwrite(root, started)
    left = _refuse_what_is_wrong(tree, started)
    for file in started:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.body)
        click.echo(f"wrote {file.path}")
    for message in left:
        click.echo(f"to fill in: {message}")
    click.echo(f"next: {advice}; then `ordain validate`, and commit it")


def _refuse_to_overwrite(root: Path, started: Sequence[Started]) -> None:
    there = [file.path for file in started if (root / file.path).exists()]
    if there:
        raise click.ClickException(f"nothing is overwritten: {', '.join(there)} is there already")


def _refuse_what_is_wrong(tree: Tree, started: Sequence[Started]) -> list[str]:
    """Check the tree with the new intents; return what only a person can fill in."""
    documents = {file.path: read(file.path, file.body) for file in started if identify(file.path)}
    problems = check(tree, tree.advance(documents), documents.keys())
    refusals = [problem for problem in problems if problem.code not in LEFT_TO_PERSONS]
    if refusals:
        raise click.ClickException("nothing is written:\n" + "\n".join(f"  {_said(each)}" for each in refusals))
    return [problem.message for problem in problems]


def _said(problem: Problem) -> str:
    return f"{problem.code}: {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
