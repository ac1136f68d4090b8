"""Every problem code, in one table. docs/reference/problems.md is generated from it."""

from __future__ import annotations

from dataclasses import dataclass


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
    "invalid-reference": Explanation(
        "A reference is not of the form <name>@<version>.", "Name the version as well."
    ),
    "invalid-quantity": Explanation("Not a Kubernetes quantity.", "Write such as 1, 500m or 2Gi."),
    "invalid-duration": Explanation("Not a duration.", "Write such as 90s, 5m or 2h."),
    "invalid-member": Explanation("A member is neither a user nor a group, or both.", "Give exactly one."),
}
