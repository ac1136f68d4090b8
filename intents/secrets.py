"""What looks like a credential. Precise rather than complete: each form is its issuer's own.

No pattern looks further than a bounded way from where it begins, so that no text takes long.
The forms are published by their issuers, and are the ones that scanners such as gitleaks and detect-secrets look for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import log2
from typing import NamedTuple


class Form(NamedTuple):
    """One sort of credential: texts that every one of them holds, and its exact form."""

    name: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]


def _form(name: str, marks: str, pattern: str) -> Form:
    return Form(name, tuple(marks.split()), re.compile(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"))


_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]{0,20}://[^\s:@/]{1,100}:[^\s:@/$<{*]{3,200}@[^\s/]")
FORMS = (
    _form("an AWS access key id", "AKIA ASIA ABIA ACCA", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    _form("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36}"),
    _form("a GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _form("a GitLab token", "glpat- gldt- glrt- glptt-", r"gl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{20,}"),
    _form("a Slack token", "xoxb- xoxp- xoxa- xoxr- xoxs- xoxe- xapp-", r"(?:xox[bpares]|xapp)-[A-Za-z0-9-]{20,}"),
    _form("a Google API key", "AIza", r"AIza[A-Za-z0-9_-]{35}"),
    _form("a Google OAuth secret", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{28}"),
    _form("a Hugging Face token", "hf_", r"hf_[A-Za-z]{34}"),
    _form("an OpenAI key", "T3BlbkFJ", r"sk-[A-Za-z0-9_-]{20,200}T3BlbkFJ[A-Za-z0-9_-]{20,200}"),
    _form("an Anthropic key", "sk-ant-", r"sk-ant-[a-z0-9]{1,20}-[A-Za-z0-9_-]{80,}"),
    _form("an npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    _form("a PyPI token", "pypi-AgE", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    _form("a Stripe key", "sk_live_ rk_live_ sk_test_ rk_test_", r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,99}"),
    _form("a DigitalOcean token", "dop_v1_ doo_v1_", r"do[op]_v1_[a-f0-9]{64}"),
    _form("an Azure storage key", "AccountKey=", r"AccountKey=[A-Za-z0-9+/]{86}=="),
    _form("a JSON web token", "eyJ", r"eyJ[A-Za-z0-9_-]{14,300}\.eyJ[A-Za-z0-9_-]{14,}\.[A-Za-z0-9_-]{10,}"),
    Form("a private key", ("PRIVATE KEY",), re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY")),
    Form("a password in an address", ("://",), _ADDRESS),
)

_SECRET_KEY = re.compile(
    r"(?:^|[_.-])(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|"
    r"private[_-]?key|account[_-]?key|client[_-]?secret|credentials?)$"
)
_KEYED = re.compile(
    r"""(?:passw(?:or)?d|passphrase|pwd|secret|token|key|credentials?)["']?\s{0,3}:\s{0,60}[|>"'+-]{0,3}\s{0,60}[!-~]{12}"""
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LITERAL = re.compile(r"[!-~]{12,}")
_HEX = re.compile(r"(?:sha(?:256|512|1):)?[0-9a-f]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PART = r"(?:[A-Z]+|[A-Z]?[a-z]+)?[0-9]{0,4}"
_NAME = re.compile(rf"{_PART}(?:[-_/.:@]{_PART})*")
# The entropy of 12 different characters is 3.6 bits; words, names and paths of that length stay below 3.4.
_BITS = 3.5


def may_hold_one(text: str) -> bool:
    """Whether a closer look at a document is needed: cheap, and never wrong about a no."""
    if "PRIVATE KEY" in text or ("://" in text and "@" in text):
        return True
    words = " ".join(word for word in text.split() if len(word) >= _SHORTEST and not _DIGEST.fullmatch(word))
    # Each alone: together, as one pattern, they take more than twice as long on a long text.
    if words and any(mark in words for mark in _MARKS):
        return True
    low = text.lower()
    named = "key" in low or "pass" in low or "token" in low or "secret" in low or "pwd" in low or "credential" in low
    return named and _KEYED.search(low) is not None


def credentials_in(text: str) -> Iterator[str]:
    """Yield what each credential in a text is: `a GitHub token`."""
    yield from (form.name for form in FORMS if any(mark in text for mark in form.marks) and form.pattern.search(text))


def is_password(key: str, value: str) -> bool:
    """Whether the value of a field that is named like a secret is the secret itself, and not a name for it.

    It is a random text: long, without blanks, of letters and digits, and neither a digest, a uuid nor words that
    are strung together.
    """
    if not _SECRET_KEY.search(_HUMP.sub("_", key).lower()) or not _LITERAL.fullmatch(value):
        return False
    mixed = any(each.isdigit() for each in value) and any(each.isalpha() for each in value)
    return mixed and not _HEX.fullmatch(value) and not _NAME.fullmatch(value) and _entropy(value) >= _BITS


def _entropy(text: str) -> float:
    """Return Shannon's entropy in bits a character."""
    shares = [text.count(each) / len(text) for each in set(text)]
    return -sum(share * log2(share) for share in shares)


_MARKS = tuple(dict.fromkeys(mark for form in FORMS for mark in form.marks))
_SHORTEST = 18
"""Characters without a blank that every form has, but for keys and addresses, which are looked for first."""
_DIGEST = re.compile(r"""["']?(?:sha256:)?[0-9a-f]{40,64}["']?[,}\]]*""")
