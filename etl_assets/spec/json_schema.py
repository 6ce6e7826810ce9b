"""The JSON Schema of a tenant's YAML: what editors complete and explain while it is written.

Made from the models of `institution_spec.py`, so it cannot say anything else than they do. What only Python can check,
such as two columns with one source, is said by `etl-assets check`.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from etl_assets.institution_spec import InstitutionSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "An institution of etl_assets"


class _Described(GenerateJsonSchema):
    """Fields have descriptions; a title would only be the name once more, in the first line that an editor shows."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  pydantic's signature
        return False


def json_schema() -> dict[str, Any]:
    """The schema of the whole file."""
    return {"$schema": DIALECT, **InstitutionSpec.model_json_schema(schema_generator=_Described), "title": TITLE}


def json_schema_text() -> str:
    """The schema as it stands in `docs/institution.schema.json`."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
