"""What is wrong with a tenant's YAML, in words that name field, expectation, find and line.

Knows no field of the spec; what must be true of one is said in its model.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from etl_assets.spec.file import Place

Contradiction = tuple[Place, str, object]
PLAIN = {
    "missing": "expected a value; it is missing",
    "model_type": "expected fields of its own",
    "invalid_key": "expected text as the name of a field",
    "tuple_type": "expected a list",
    "dict_type": "expected `name: value` pairs",
    "string_type": "expected text",
    "string_pattern_mismatch": "expected text that matches {pattern}",
    "string_too_short": "expected at least {min_length} character",
    "string_too_long": "expected at most {max_length} character",
    "too_short": "expected at least {min_length} item",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "date_from_datetime_parsing": "expected a day of the calendar, as in 2026-03-02: {error}",
    "datetime_from_date_parsing": "expected a moment of the calendar: {error}",
    "datetime_parsing": "expected a moment of the calendar: {error}",
}
OF_A_WHOLE = frozenset({"missing", "value_error", "contradiction"})
KEY = "[key]"
Line = Callable[[Place], int | None]


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


def in_words(error: ValidationError, model: type[BaseModel], line: Line) -> Iterator[str]:
    """Each mistake as `field.below.it: what was expected; found ... (line 7)`."""
    mistakes = error.errors(include_url=False)
    for mistake in mistakes:
        place = mistake["loc"]
        if mistake["type"] == "too_short" and any(
            m["loc"][: len(place)] == place and m is not mistake for m in mistakes
        ):
            continue  # the list is only short of the items that are refused themselves
        words, number = _expectation(mistake, model), line(place)
        if place[-1:] == (KEY,):
            place, words = place[:-2], f"key {_found(mistake['input'])}: {words}"
        where = "" if number is None else f" (line {number})"
        yield f"{'.'.join(map(str, place)) or 'the whole file'}: {words}{where}"


def _expectation(mistake: ErrorDetails, model: type[BaseModel]) -> str:
    found, place, kind = mistake["input"], mistake["loc"], mistake["type"]
    if kind == "extra_forbidden":
        return f"unknown field; {_known_fields(str(place[-1]), _model_at(place[:-1], model))}"
    words = PLAIN.get(kind, "").format(**mistake.get("ctx", {})) or mistake["msg"]
    for prefix, plain in (("Value error, ", ""), ("Input should be ", "expected ")):
        words = plain + words.removeprefix(prefix) if words.startswith(prefix) else words
    if kind in OF_A_WHOLE and isinstance(found, Mapping | BaseModel):
        return words
    hint = _of_fields(found, _model_at(place, model)) if kind == "model_type" else _remedy(kind, found)
    return words + ("" if place[-1:] == (KEY,) else f"; found {_found(found)}") + hint


def _found(value: object) -> str:
    return "nothing" if value is None else reprlib.repr(value)


def _remedy(kind: str, found: object) -> str:
    if kind == "tuple_type" and isinstance(found, str):
        return f": write {_yaml([found])}"
    if kind != "string_type" or not isinstance(found, bool | int | float):
        return ""
    as_a_flag = {
        True: ", since YAML reads yes, YES and on as true",
        False: ", since YAML reads no, NO and off as false",
    }
    return ": put it in quotes" + (as_a_flag[found] if isinstance(found, bool) else "")


def _of_fields(found: object, model: type[BaseModel]) -> str:
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    if len(required) == 1 and isinstance(found, str):
        return f": write {_yaml({required[0]: found})}"
    return f": its fields are {', '.join(model.model_fields)}"


def _yaml(value: object) -> str:
    """The value in one line, with quotes where YAML needs them."""
    return str(yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"))).strip()


def _known_fields(name: str, model: type[BaseModel]) -> str:
    fields = list(model.model_fields)
    near = difflib.get_close_matches(name, fields, n=1)
    return f"did you mean `{near[0]}`?" if near else f"expected one of {', '.join(fields)}"


def _model_at(place: Sequence[str | int], model: type[BaseModel]) -> type[BaseModel]:
    for part in place:
        if isinstance(part, str):
            model = next(_models_in(model.model_fields[part].annotation))
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
