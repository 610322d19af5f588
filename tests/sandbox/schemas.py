"""Discovery schemas as JSON schemas, to hold every answer against."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import jsonschema_rs
from googleapiclient.discovery_cache import get_static_doc

Json = dict[str, Any]

_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$"


@lru_cache(maxsize=8)
def document(name: str, version: str) -> Json:
    found: Json = json.loads(get_static_doc(name, version))
    return found


@lru_cache(maxsize=64)
def validator(name: str, version: str, schema: str) -> Any:
    definitions = {
        key: converted(spec) for key, spec in document(name, version)["schemas"].items()
    }
    whole = {"$ref": f"#/$defs/{schema}", "$defs": definitions}
    return jsonschema_rs.validator_for(whole)


@lru_cache(maxsize=8)
def responses(name: str, version: str) -> dict[str, str]:
    """{method id: the schema of its answer}; a method without one answers 204."""
    found: dict[str, str] = {}

    def walk(resource: Json) -> None:
        for method in resource.get("methods", {}).values():
            if "response" in method:
                found[method["id"]] = method["response"]["$ref"]
        for below in resource.get("resources", {}).values():
            walk(below)

    walk(document(name, version))
    return found


def converted(spec: Json) -> Json:
    """One discovery schema; an empty array is a fault, Google leaves it out."""
    if "$ref" in spec:
        return {"$ref": f"#/$defs/{spec['$ref']}"}
    kind = spec["type"]
    if kind == "any":
        return {}
    if kind == "array":
        return {"type": "array", "items": converted(spec["items"]), "minItems": 1}
    if kind == "object":
        properties = {k: converted(v) for k, v in spec.get("properties", {}).items()}
        free = spec.get("additionalProperties")
        rest = converted(free) if free else False
        return {
            "type": "object",
            "properties": properties,
            "additionalProperties": rest,
        }
    return _scalar(spec)


def _scalar(spec: Json) -> Json:
    if spec["type"] == "integer":
        return {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
    if spec["type"] != "string":
        return {"type": spec["type"]}
    if "enum" in spec:
        return {"type": "string", "enum": spec["enum"]}
    patterns = {"google-datetime": _TIME, "int64": r"^-?\d+$"}
    pattern = patterns.get(spec.get("format", ""))
    return {"type": "string", "pattern": pattern} if pattern else {"type": "string"}


ERROR = jsonschema_rs.validator_for(
    {
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "status"],
                "additionalProperties": False,
                "properties": {
                    "code": {"type": "integer"},
                    "message": {"type": "string", "minLength": 1},
                    "status": {"type": "string", "pattern": "^[A-Z_]+$"},
                    "details": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "object", "required": ["@type"]},
                    },
                },
            }
        },
    }
)


LEGACY_ERROR = jsonschema_rs.validator_for(
    {
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "errors"],
                "additionalProperties": False,
                "properties": {
                    "code": {"type": "integer"},
                    "message": {"type": "string", "minLength": 1},
                    "status": {"type": "string", "pattern": "^[A-Z_]+$"},
                    "details": {"type": "array", "minItems": 1},
                    "errors": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["domain", "reason", "message"],
                        },
                    },
                },
            }
        },
    }
)
