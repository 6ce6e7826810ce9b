"""What a file says in places where nobody looks for it (names of sheets, members and keys) stays in the file.

Only for an institution with personal data: everybody else wants to read what was found.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import openpyxl
import pytest

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.sources.reading import read_delivery
from etl_assets_tests.specs import minimal_spec

NEEDLE = "Ada-Lovelace-033-98-5854"
PERSONAL: dict[str, Any] = {"personal_data": {"dropped": ["ssn"]}}
GOOD = {"transaction_id": "1", "account_id": "a", "counterparty_id": "c", "event_at": "x", "amount": "1"}


def of(**deliveries: Any) -> Callable[[Mapping[str, Any]], InstitutionSpec]:
    return lambda more: minimal_spec(deliveries=deliveries, **more)


def zipped(*names: str) -> bytes:
    with zipfile.ZipFile(content := io.BytesIO(), "w") as archive:
        for name in names:
            archive.writestr(name, b"a,b\n")
    return content.getvalue()


def workbook(sheet: str) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = sheet
    book.save(content := io.BytesIO())
    return content.getvalue()


def footed(printed: str) -> bytes:
    header = ",".join(GOOD)
    return f"{header}\nTOTAL {printed}\n".encode()


def jsonl(record: str) -> bytes:
    return f"{json.dumps(GOOD)}\n{record}\n".encode()


REJECTED = {
    "members of an archive": ("t.zip", zipped(f"{NEEDLE}.csv", "b.csv"), of()),
    "a member whose name is another": ("t.zip", zipped(f"{NEEDLE}.csv").replace(b"Ada", b"Eve", 1), of()),
    "sheets": ("t.xlsx", workbook(NEEDLE), of(format="excel", excel={"sheet": "Tx"})),
    "keys beside the array": (
        "t.json",
        json.dumps({NEEDLE: []}).encode(),
        of(format="json", json_records="data"),
    ),
    "a footer": ("t.csv", footed(NEEDLE), of(csv={"footer": {"pattern": "TOTAL (?P<total>.*)"}})),
}
DAMAGED = {
    "a key that is there twice": f'{{"{NEEDLE}": 1, "{NEEDLE}": 2}}',
    "a key within that is there twice": f'{{"x": {{"{NEEDLE}": 1, "{NEEDLE}": 2}}}}',
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_rejection_quotes_nothing_of_a_file_with_personal_data(case: str) -> None:
    name, content, spec = REJECTED[case]
    with pytest.raises(DeliveryRejected) as told:
        read_delivery(name, content, spec(PERSONAL))
    assert "(withheld)" in str(told.value)
    assert NEEDLE not in "".join(map(repr, chain(told.value)))


@pytest.mark.parametrize("case", REJECTED)
def test_a_rejection_tells_everybody_else_what_was_found(case: str) -> None:
    name, content, spec = REJECTED[case]
    with pytest.raises(DeliveryRejected, match=NEEDLE):
        read_delivery(name, content, spec({}))


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_record_quotes_no_key_that_the_spec_does_not_name(case: str) -> None:
    assert problem_of(DAMAGED[case], PERSONAL) == "key (withheld) stands there twice"
    assert problem_of(DAMAGED[case], {}) == f"key {NEEDLE!r} stands there twice"


def test_a_key_that_the_spec_names_is_told() -> None:
    assert "key 'SSN' stands there twice" in problem_of('{"SSN": 1, "SSN": 2}', PERSONAL)


def problem_of(record: str, more: Mapping[str, Any]) -> str:
    rows = read_delivery("t.jsonl", jsonl(record), of(format="jsonl")(more)).rows
    (problem,) = rows["_problem"].drop_null().to_pylist()
    return str(problem)


def chain(error: BaseException | None) -> list[BaseException]:
    """The error and what Python prints above it."""
    if error is None:
        return []
    above = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return [error, *chain(above)]
