"""A tenant's YAML file as plain values, and a model's refusal of them in words that name field, find and expectation.

Knows no field of the spec; what must be true of one is said in its model.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

Place = tuple[str | int, ...]
Contradiction = tuple[Place, str, object]
PLAIN = {
    "missing": "expected a value; it is missing",
    "model_type": "expected fields of its own",
    "string_pattern_mismatch": "expected text that matches {pattern}",
    "string_too_short": "expected at least {min_length} character",
    "string_too_long": "expected at most {max_length} character",
    "too_short": "expected at least {min_length} item",
}


class SpecRefused(ValueError):  # noqa: N818  the refusal is the fact
    """A tenant's YAML cannot be used; the message names the file, the field and what was expected."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """A key stands once, where YAML takes the last of two. Dates stay text, so that a wrong one has a field's name."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} stands there twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return node


def yaml_content(path: Path) -> dict[str, Any]:
    """The fields in the file.

    Raises: SpecRefused, naming the file and, where YAML itself is broken, the line.
    """
    try:
        with path.open("rb") as file:
            content = _Loader(file).get_single_data()
    except (yaml.YAMLError, OSError) as error:
        raise SpecRefused(f"{path}: expected a readable YAML file: {error}") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else reprlib.repr(content)
        raise SpecRefused(f"{path}: expected fields as in `institution: my_bank`; found {found}")
    return content


def refused(title: str, contradictions: Iterable[Contradiction]) -> None:
    """Every contradiction (place, what was expected, what was found) is reported, each at its own place.

    Raises: ValidationError where there is one; a plain ValueError would stop at the first, without its place.
    """
    mistakes = [
        InitErrorDetails(type=PydanticCustomError("contradiction", "{why}", {"why": why}), loc=place, input=found)
        for place, why, found in contradictions
    ]
    if mistakes:
        raise ValidationError.from_exception_data(title, mistakes)


def in_words(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """Each mistake as `field.below.it: what was expected; found ...`."""
    mistakes = error.errors(include_url=False)
    above = {mistake["loc"][:-1] for mistake in mistakes}
    for mistake in mistakes:
        if mistake["type"] == "too_short" and mistake["loc"] in above:
            continue  # the list is only short of the items that are refused themselves
        yield f"{'.'.join(map(str, mistake['loc'])) or 'the whole file'}: {_expectation(mistake, model)}"


def _expectation(mistake: ErrorDetails, model: type[BaseModel]) -> str:
    found, place = mistake["input"], mistake["loc"]
    if mistake["type"] == "extra_forbidden":
        return f"unknown field; {_known_fields(str(place[-1]), _model_at(place[:-1], model))}"
    words = PLAIN.get(mistake["type"], "").format(**mistake.get("ctx", {})) or mistake["msg"]
    for prefix, plain in (("Value error, ", ""), ("Input should be ", "expected ")):
        words = plain + words.removeprefix(prefix) if words.startswith(prefix) else words
    if isinstance(found, Mapping | BaseModel):
        return words
    hint = ": put it in quotes" if mistake["type"] == "string_type" and isinstance(found, bool | int | float) else ""
    return f"{words}; found {reprlib.repr(found)}{hint}"


def _known_fields(name: str, model: type[BaseModel]) -> str:
    fields = list(model.model_fields)
    near = difflib.get_close_matches(name, fields, n=1)
    return f"did you mean `{near[0]}`?" if near else f"expected one of {', '.join(fields)}"


def _model_at(place: Sequence[str | int], model: type[BaseModel]) -> type[BaseModel]:
    for part in place:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            model = next(m for m in (annotation, *get_args(annotation)) if _is_model(m))
    return model


def _is_model(candidate: object) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)
