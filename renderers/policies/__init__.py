"""The platform's rules for what runs in tenants' namespaces: written once, in CEL, and judged the same everywhere.

`rules` is the one table, over what `judged` finds in an object. `engines` renders it as ValidatingAdmissionPolicy or
as Kyverno's ValidatingPolicy, and `verdicts` evaluates the same text here, before anything is committed.
"""
