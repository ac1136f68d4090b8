"""What Kubernetes, Argo CD and KServe say, in words that name what is wrong and whose matter it is.

Messages are as Argo CD 3.6, Kubernetes 1.36 and KServe 0.20 were seen to say them. What is not known is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORDS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (
            r".*namespace (\S+) is not permitted in project '([^']+)'.*",
            r"the namespace \1 is fenced off: the AppProject \2 lets nothing of it go there",
        ),
        (
            r".*resource (\S+) is not permitted in project '?([^'.\s]+)'?.*",
            r"the kind \1 is fenced off: the AppProject \2 takes none of it",
        ),
        (
            r".*ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: (.*)",
            r"the policy \1 refuses it: \2",
        ),
        (r'.*admission webhook "([^"]+)" denied the request: (.*)', r"the webhook \1 refuses it: \2"),
        (
            r'.*failed calling webhook "([^"]+)": (.*)',
            r"the webhook \1 does not answer, so nothing of its kinds can be changed: \2",
        ),
        (
            r'.*Apply failed with \d+ conflicts?: conflicts? with "([^"]+)"[^:]*:?\s*(.*)',
            r"another manager, \1, holds fields that are rendered: \2",
        ),
        (r".*failed to create typed patch object \([^)]*\): (.*)", r"it is no valid object: \1"),
        (
            r".*(?:failed to list refs|failed to fetch|Failed to fetch|unable to resolve git revision)\s*:?\s*(.*)",
            r"Argo CD cannot read the rendered branch: \1",
        ),
        (
            r".*namespaces? \"([^\"]+)\" not found.*",
            r"the namespace \1 is not there yet; it is of the folder platform/tenants",
        ),
    )
)
_RETRYING = re.compile(r"\.? Retrying attempt #\d+ at \S+$")
"""With every try it is another text."""


def in_plain_words(message: str) -> str:
    """Return a message so that whoever reads it knows what to look at."""
    said = _RETRYING.sub("", message).strip()
    for pattern, words in _WORDS:
        if pattern.fullmatch(said):
            return pattern.sub(words, said).strip()
    return said
