"""JSON Schemas of the kinds, for editors: `python -m intents.schemas platform/schemas`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from intents.kinds import SPECS, Kind
from intents.reading import ENVELOPES

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def file_name(kind: Kind) -> str:
    """Return the schema's file name: `model-version.json`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.value).lower() + ".json"


def export() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each kind's documents by file name."""
    return {file_name(kind): _schema(kind) for kind in SPECS}


def rendered(schema: dict[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _schema(kind: Kind) -> dict[str, Any]:
    schema = ENVELOPES[kind].model_json_schema(by_alias=True)
    schema["properties"]["kind"] = {"const": kind.value}
    schema["$defs"].pop("Kind", None)
    return {"$schema": _DIALECT, **schema, "title": kind.value, "description": SPECS[kind].__doc__}


def main(folder: str) -> None:
    """Write every schema into `folder`."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, schema in export().items():
        (target / name).write_text(rendered(schema), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
