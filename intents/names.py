"""Names: what they may look like, and where their limits come from.

The limits follow from the longest names that Kubernetes and KServe derive from them, all of which must
stay within a DNS label. `DERIVED` lists those; a property test holds every one of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

DNS_LABEL_LIMIT = 63

DERIVED = {
    "Namespace": "{tenant}--{project}",
    "Argo CD Application": "{cluster}-{tenant}--{project}",
    "Argo CD Application of a tenant's own folder": "{cluster}-platform--tenants--{tenant}",
    "Argo CD AppProject": "{cluster}-{tenant}",
    "HTTPRoute and policies of a tenant's hosts": "tenant-{tenant}",
    "InferenceService": "{deployment}-{version}",
    "Service, Deployment and HorizontalPodAutoscaler of a predictor": "{deployment}-{version}-predictor",
    # A Deployment's pod: template hash of up to 10 characters and a suffix of 5.
    "Pod of a predictor": "{deployment}-{version}-predictor-0123456789-01234",
    "HTTPRoute and policies of a deployment": "{deployment}",
    "HTTPRoute of further paths": "{deployment}--2",
    "Pod of an InferenceGraph": "{deployment}--ab-0123456789-01234",
    "label ordain.dev/model": "{model}",
    "label ordain.dev/template": "{template}",
    "label ordain.dev/run": "{run}",
    "label ordain.dev/schedule": "{schedule}",
    # planning.naming.sortable_suffix: 13 characters after a hyphen.
    "Run of a Schedule": "{schedule}-0123456789abc",
    # An attempt is a TrainJob; JobSet names its pods <TrainJob>-<replicated job>-<job>-<index>-<suffix>.
    "Pod of a TrainJob": "{training job}-10000-node-0-9999-01234",
    "label ordain.dev/gpu": "{GPU type}",
    "label of a host name": "{hostname}",
}
"""What is named after intents, as format strings over the keys of `LIMITS`."""


@dataclass(frozen=True)
class NameRule:
    """What one sort of name must look like."""

    limit: int
    pattern: re.Pattern[str]
    form: str
    """The pattern in words, for a person."""


_LABEL = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
_LABEL_FORM = "lower-case letters, digits and single hyphens between them"
# Kubernetes Services, and so InferenceServices, start with a letter.
_SERVICE = re.compile(r"[a-z](?:-?[a-z0-9])*")
_SERVICE_FORM = f"{_LABEL_FORM}, starting with a letter"
# No hyphen: else version `b-c` of deployment `a` and version `c` of `a-b` were one InferenceService.
_SERVED_VERSION = re.compile(r"[a-z0-9]+")
_SEMANTIC_VERSION = re.compile(r"(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5})){2}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")

RULES = {
    "cluster": NameRule(16, _LABEL, _LABEL_FORM),
    "tenant": NameRule(16, _LABEL, _LABEL_FORM),
    "project": NameRule(16, _LABEL, _LABEL_FORM),
    "deployment": NameRule(16, _SERVICE, _SERVICE_FORM),
    "version": NameRule(8, _SERVED_VERSION, "lower-case letters and digits"),
    "model": NameRule(32, _LABEL, _LABEL_FORM),
    "template": NameRule(40, _LABEL, _LABEL_FORM),
    "run": NameRule(52, _LABEL, _LABEL_FORM),
    "schedule": NameRule(32, _LABEL, _LABEL_FORM),
    "training job": NameRule(32, _LABEL, _LABEL_FORM),
    "GPU type": NameRule(40, _LABEL, _LABEL_FORM),
    "hostname": NameRule(DNS_LABEL_LIMIT, _LABEL, _LABEL_FORM),
    "template version": NameRule(20, _SEMANTIC_VERSION, "MAJOR.MINOR.PATCH"),
    "model version": NameRule(9, _NUMBER, "a number from 1"),
}

PLATFORM_TENANT = "platform"
"""Stands for a tenant's name where the platform itself is meant: rows, events, its folder on a rendered branch."""
RESERVED = {"tenant": frozenset({PLATFORM_TENANT})}


# One tree names the same tenants, projects, models and templates thousands of times over.
@lru_cache(maxsize=8192)
def complaint(what: str, name: str) -> str | None:
    """Return what is wrong with `name` as a name of a `what` (a key of RULES), or None."""
    rule = RULES[what]
    if len(name) > rule.limit:
        return f"`{name}` is {len(name)} characters long; a {what} name has at most {rule.limit}"
    if not rule.pattern.fullmatch(name):
        return f"`{name}` is no {what} name: {rule.form}"
    if name in RESERVED.get(what, ()):
        return f"`{name}` is reserved"
    return None


@lru_cache(maxsize=1024)
def date_complaint(text: str) -> str | None:
    """Return what is wrong with `text` as the date folder of a run, or None."""
    try:
        valid = date.fromisoformat(text).isoformat() == text
    except ValueError:
        valid = False
    return None if valid else f"`{text}` is no date: YYYY-MM-DD"
