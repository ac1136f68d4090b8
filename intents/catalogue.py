"""Every problem code, in one table. docs/reference/problems.md is generated from it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Explanation:
    """What a code means and what a person does about it."""

    meaning: str
    remedy: str


CATALOGUE: dict[str, Explanation] = {
    # the file
    "misplaced-file": Explanation(
        "A file lies where no kind of intent lies.",
        "Move it to the path of its kind, or out of platform/, templates/ and tenants/.",
    ),
    "invalid-name": Explanation(
        "A name is too long, reserved or not of the form its kind needs.",
        "Rename it; the limits follow from the Kubernetes names derived from it.",
    ),
    # the YAML
    "too-large": Explanation("The document has more than 256 KiB.", "Keep data out of intents."),
    "not-utf8": Explanation("The file is not plain UTF-8.", "Save it as UTF-8 without a byte order mark."),
    "more-problems": Explanation(
        "The document has more problems than are told at once.", "Correct those that are told first."
    ),
    "yaml-syntax": Explanation("The file is not valid YAML.", "Correct it where the message points."),
    "yaml-feature": Explanation(
        "Anchors, aliases, merge keys, tags and directives are not allowed: they hide what is asked.",
        "Write the value out.",
    ),
    "empty-document": Explanation("The file holds no document.", "Write the intent, or delete the file."),
    "several-documents": Explanation("The file holds more than one document.", "Write one intent a file."),
    "too-deep": Explanation("The document is nested more than 32 levels deep.", "Flatten it."),
    "duplicate-key": Explanation("A key is given twice in one mapping.", "Keep one of them."),
    "key-not-text": Explanation("A key is not text.", "Quote it."),
    "ambiguous-scalar": Explanation(
        "YAML 1.1 and YAML 1.2, or the readers in use, give this unquoted value different meanings "
        "(no, 0755, 12:30:45, dates, 1e3).",
        "Quote it if it is text; else write a number as JSON does and a truth value as true or false.",
    ),
    "number-out-of-range": Explanation("A number needs more than 64 bits.", "Quote it if it is text."),
    # the fields
    "kind-mismatch": Explanation(
        "The document's kind is not the one its path stands for.", "Correct the kind or move the file."
    ),
    "unknown-field": Explanation(
        "The kind has no such field; misspelt, misplaced, or not supported by this version.",
        "Correct or remove it.",
    ),
    "missing-field": Explanation("A required field is missing.", "Add it."),
    "wrong-type": Explanation("A field holds another type than it must.", "Give a value of the type named."),
    "invalid-value": Explanation("A field holds a value it cannot have.", "Give one of the values named."),
    "out-of-range": Explanation(
        "A number, text or list is too small, too large or out of order.", "Stay within the limits named."
    ),
    "invalid-reference": Explanation("A reference is not of the form <name>@<version>.", "Name the version as well."),
    "invalid-quantity": Explanation("Not a Kubernetes quantity.", "Write such as 1, 500m or 2Gi."),
    "invalid-duration": Explanation("Not a duration.", "Write such as 90s, 5m or 2h."),
    "invalid-network": Explanation(
        "Not a network, or an address at which clouds give out credentials.",
        "Write it in CIDR notation, such as 10.0.0.0/8; metadata addresses stay closed.",
    ),
    "invalid-member": Explanation(
        "A member is neither a user nor a group, or both, or one of the platform's own principals.",
        "Give exactly one person or group.",
    ),
    # references
    "no-platform": Explanation(
        "The tree has no platform/platform.yaml.",
        "Put it back; in a new repository write it: `ordain explain Platform` has its fields.",
    ),
    "unknown-tenant": Explanation("There is no such tenant.", "Correct the name, or add the tenant."),
    "unknown-project": Explanation("The tenant has no such project.", "Correct the name, or add the project."),
    "unknown-cluster": Explanation("There is no such cluster.", "Correct the name, or add the cluster."),
    "unknown-template": Explanation(
        "There is no such version of a template in the catalog.", "Choose one that is there."
    ),
    "template-not-offered": Explanation(
        "The template is not offered to this tenant.",
        "Ask a platform admin to add the tenant to the template.",
    ),
    "unknown-model-version": Explanation(
        "The project has no such model version.",
        "Choose one that is registered, or train and register it first.",
    ),
    "digest-mismatch": Explanation(
        "The digest is not that of the model version, or of its files.", "Copy the digest the message gives."
    ),
    # runs
    "unknown-parameter": Explanation("The template has no such parameter.", "Correct or remove it."),
    "missing-parameter": Explanation("The template needs a parameter that is not given.", "Add it."),
    "invalid-parameter": Explanation(
        "A parameter is not what the template's schema allows, or would not reach the task as it was written.",
        "Give a value within the schema; in those of pipelines, text without `$(…)`, `$$` and `{{`.",
    ),
    "no-model-output": Explanation(
        "The run registers a model, but the template declares no model output.", "Remove `register`."
    ),
    "output-not-chosen": Explanation(
        "The template has several model outputs and the run names none.", "Set `register.output`."
    ),
    "unknown-output": Explanation("The template has no such model output.", "Choose one it declares."),
    "wrong-template": Explanation(
        "A template is of the other sort: packages are for Runs and Schedules, training programs for TrainingJobs.",
        "Name a template of the right sort.",
    ),
    "deprecated-template": Explanation(
        "The template is deprecated. A warning: it still runs.", "Move to what the template's owner names instead."
    ),
    "never-fits": Explanation(
        "What is asked for at once is more than the project, its tenant or its cluster has: it would wait for ever.",
        "Ask for less, or for a larger quota.",
    ),
    "unknown-gpu-type": Explanation("No pool of the cluster has such GPUs.", "Name a type that a pool has."),
    "active-run": Explanation(
        "A run or training job that is still under way would be removed; that would not stop it.",
        "Set `desired: Cancelled`, and remove it once it has ended.",
    ),
    "run-name-used": Explanation(
        "Another run of the project has this name, maybe on another date.",
        "Choose another name, or raise `attempt` of that run to run it again.",
    ),
    "attempt-lowered": Explanation("Attempts are counted upwards.", "Write a higher number."),
    # schedules
    "invalid-cron": Explanation(
        "Not a cron expression of five fields, or one that never fires. Nicknames and seconds are not taken: the "
        "shortest period is a minute.",
        "Write minute, hour, day of month, month and day of week, such as `0 3 * * *`.",
    ),
    "unknown-time-zone": Explanation(
        "The IANA database has no such time zone.", "Write one of its names, such as Europe/Zurich."
    ),
    # templates and models
    "invalid-schema": Explanation("A template's `parameters` is no JSON Schema of an object.", "Correct it."),
    "invalid-package": Explanation(
        "A template's package is no KFP pipeline that can be run as it stands.", "Compile it again."
    ),
    "package-changed": Explanation(
        "The package's sha256 is not the one its template names.", "Write the digest of the package as it is."
    ),
    "package-parameters": Explanation(
        "The template's parameters and the inputs of its package do not agree.", "Make one follow the other."
    ),
    "invalid-image": Explanation(
        "An image is missing, malformed, or holds a placeholder, so that nobody can say what would run.",
        "Write the image out, with its tag or digest.",
    ),
    "image-not-allowed": Explanation(
        "The image is not on the platform's list of images.", "Use one that is, or ask a platform admin to add it."
    ),
    "runs-as-root": Explanation(
        "A task of the package runs as the user root.", "Leave `runAsUser` out, or set another user."
    ),
    "model-is-code": Explanation(
        "A model brings code into the server: Triton's python backend, a script, a shared library or an environment.",
        "Export the model to ONNX.",
    ),
    "model-config": Explanation(
        "A model's config.pbtxt contradicts its folder's name, its own fields or its ONNX file.",
        "Correct config.pbtxt, or leave the field out where Triton can find it by itself.",
    ),
    "no-gpu-for-model": Explanation(
        "The model's instances run on GPUs, and the version that serves it gets none: Triton would not load it.",
        "Give the version `gpus`, or register the model with instances on CPUs.",
    ),
    "model-layout": Explanation(
        "The files are no Triton model repository of this model.",
        "Lay them out as <model>/config.pbtxt and <model>/1/….",
    ),
    # serving
    "duplicate-name": Explanation("Two things in one list have the same name.", "Rename one."),
    "replace-one-version": Explanation(
        "The strategy `replace` serves one version.",
        "Keep the new version; the rollout keeps the old one alive.",
    ),
    "mixed-models": Explanation(
        "A deployment serves one model, because its path names it.",
        "Make another deployment for another model.",
    ),
    "version-changed": Explanation(
        "A name that is served, or was last good, would get another model or digest.",
        "Give the new version another name.",
    ),
    "weights-sum": Explanation("The weights do not add up to 100.", "Change them until they do."),
    "unknown-version": Explanation(
        "Traffic names a version that the deployment does not have.", "Correct the name, or add the version."
    ),
    "unused-version": Explanation("No traffic can ever reach a version.", "Give it traffic, or remove it."),
    "same-version": Explanation("Stable and candidate are the same version.", "Name two versions, or use `replace`."),
    "steps-not-rising": Explanation(
        "The weights of a canary's steps do not rise to 100.", "Let each be more than the one before, the last 100."
    ),
    "gate-without-traffic": Explanation(
        "A step sends the candidate no requests, so its gates could never be judged.", "Gate a later step."
    ),
    "overlapping-matches": Explanation(
        "One request can match two versions, and nobody could say which it reaches.",
        "Use one header or cookie for all versions, with another value for each.",
    ),
    "mode-cannot-express": Explanation(
        "The project's cluster, with its driver and its KServe's mode, cannot do what the strategy asks.",
        "Use another strategy, or a project on a cluster with the other mode.",
    ),
    "mode-in-use": Explanation(
        "A cluster's KServe mode would change under deployments that are served.",
        "Make another cluster with that mode, and move the deployments there.",
    ),
    "orphan-rollout": Explanation("A rollout stands without its deployment.", "Remove both files in one change."),
    "derived-name-clash": Explanation(
        "Two Kubernetes objects derived from different intents would have one name.", "Rename the deployment."
    ),
    # quotas
    "quota-cpus": Explanation(
        "Deployments, with all replicas they may have and both sides of a rollout, could use more CPUs than the "
        "project, the tenant or the cluster has.",
        "Fewer or smaller replicas, or a larger limit.",
    ),
    "quota-memory": Explanation("The same for memory.", "Fewer or smaller replicas, or a larger limit."),
    "quota-gpus": Explanation(
        "The same for a type of GPU. A type that a quota does not name may not be used.",
        "Fewer replicas, or a larger limit.",
    ),
    "quota-above-limit": Explanation(
        "A quota is larger than what is above it: a project's than its tenant's or its cluster's, a tenant's than "
        "all clusters together.",
        "Lower it, or raise what is above it.",
    ),
    # tenancy and change
    "duplicate-hostname": Explanation("A host name is claimed twice.", "Choose another."),
    "immutable-field": Explanation(
        "The field cannot change once the intent is committed.", "Keep it, or make a new intent."
    ),
    "not-empty": Explanation("A tenant or project that is removed still has intents.", "Remove them first."),
    "in-use": Explanation("Something that is removed is still named elsewhere.", "Change its users first."),
    "change-limit": Explanation(
        "One change deletes more deployments or touches more tenants than the platform's `changeLimits` allow.",
        "Make smaller changes, or let an approver say yes to this one.",
    ),
    "looks-like-secret": Explanation(
        "A text looks like a credential. It would stay in the history, and in every copy of it.",
        "Take it out and revoke it; name a secret of the cluster instead.",
    ),
    "not-carried-out": Explanation(
        "The language can ask for it, but this version of the reconciler acts on none: it would have no effect.",
        "Leave it out, or wait for a version that does.",
    ),
    "invalid-manifest": Explanation(
        "A manifest of the intent is not what the cluster's CustomResourceDefinitions allow.",
        "Compare their version with the one the cluster's intent names.",
    ),
    "forbidden": Explanation("The person's roles do not cover this path.", "Ask someone whose roles do."),
    "not-an-approver": Explanation(
        "Someone who may not approve a change said yes to it: another's word is needed, of someone with the role.",
        "Ask an approver of the tenant, or a platform admin for the platform's own files.",
    ),
    "approval-missing": Explanation(
        "A change lacks the approvals that it needs, or what was approved is not what it would do now.",
        "Ask those who may approve it; the answer names them.",
    ),
    "plan-changed": Explanation(
        "The plan that was approved is not the plan of the change as it is now.",
        "Read the plan again and approve that one.",
    ),
    "change-not-open": Explanation(
        "A change is merged or closed, or there is none of that name.", "Make a new request."
    ),
    "change-updated": Explanation(
        "Its author updated the change after it was looked at.", "Look at what it does now and decide on that."
    ),
    "empty-change": Explanation("An update leaves nothing of a change.", "Close the change instead."),
    "too-many-changes": Explanation(
        "The tenant has as many open changes as it may have at once.", "Merge or close some."
    ),
    "not-a-plain-file": Explanation(
        "A link, an executable or another repository is pushed: files here are text and nothing else.",
        "Commit the text itself, with the mode 100644.",
    ),
    "unfit-merge": Explanation(
        "A merge commit decides something itself: main is linear, and each commit on it says what it changes.",
        "Rebase onto main, and push that.",
    ),
    "conflict": Explanation(
        "What stands at the path is not what the request was decided on.",
        "Read it again and decide on what is there now.",
    ),
    "check-crashed": Explanation(
        "The checks themselves failed on this request three times; it waits for a person, others go on.",
        "Report it with the request's id.",
    ),
}


def to_markdown() -> str:
    """Return the reference page of all codes."""
    rows = (f"| `{code}` | {each.meaning} | {each.remedy} |" for code, each in sorted(CATALOGUE.items()))
    head = (
        "# Problems",
        "",
        "Every reason for which an intent is refused.",
        "Generated: `python -m intents.catalogue docs/reference/problems.md`.",
        "",
        "| code | meaning | what to do |",
        "|---|---|---|",
    )
    return "\n".join((*head, *rows)) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(to_markdown(), encoding="utf-8")
