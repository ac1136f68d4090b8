"""What is sent to KFP for a submission, refused here where its server would answer 500 or run it half."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

from intents.documents import Document
from intents.identity import identify
from intents.kinds import TemplateSpec
from intents.packages import check_package
from intents.problems import InvalidIntent
from intents.tree import Tree
from reconciler.ports.errors import Rejected, Stalled
from reconciler.ports.pipelines import Submission
from renderers.kfp import Body, KfpRun, run_body

NO_EXPERIMENT = ""


@dataclass
class Bodies:
    """Makes bodies of submissions to one cluster; remembers which packages it has seen to be in order."""

    cluster: str
    _sound: set[tuple[str, str]] = field(default_factory=set)

    def body(self, submission: Submission, tree: Tree) -> Body:
        """Return the body of a run, but for its experiment. Raises Rejected, with everything that is wrong."""
        template = tree.template(submission.template)
        cluster = tree.cluster(self.cluster)
        identity = identify(submission.path)
        if cluster is None:
            raise Stalled(f"there is no cluster {self.cluster} on main: nothing can be submitted to it")
        if template is None or identity is None:
            raise Rejected(f"there is no template {submission.template} on main")
        self._check(template, submission.package)
        asked = KfpRun(
            who=identity,
            path=submission.path,
            attempt=submission.attempt,
            submission=submission.number,
            parameters=submission.parameters,
            template=template,
            package=submission.package,
            platform=tree.platform,
            cluster=cluster.spec,
        )
        try:
            return run_body(asked, UUID(submission.run_id), NO_EXPERIMENT)
        except InvalidIntent as invalid:
            raise Rejected("; ".join(each.message for each in invalid.problems)) from invalid

    def _check(self, template: Document[TemplateSpec], package: bytes) -> None:
        key = (template.path, hashlib.sha256(package).hexdigest())
        if key in self._sound:
            return
        if wrong := check_package(template, package):
            raise Rejected(f"the package of {template.path}: {'; '.join(each.message for each in wrong)}")
        self._sound.add(key)
