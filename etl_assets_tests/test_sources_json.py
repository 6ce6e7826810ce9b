"""JSON deliveries: every record accounted for, every value as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.json_reading import read_json, read_jsonl
from etl_assets.sources.layout import DeliveryRejected, Reading
from etl_assets.sources.reading import read_delivery
from etl_assets_tests.specs import minimal_spec

LINES = minimal_spec(deliveries={"format": "jsonl"})
DOCUMENT = minimal_spec(deliveries={"format": "json"})
RECORD = '"transaction_id":"1","account_id":"a","counterparty_id":"b","event_at":"2024-01-01 00:00:00"'
GOOD = f'{{{RECORD},"amount":1}}'
COLUMNS = ("transaction_id", "account_id", "counterparty_id", "event_at", "amount")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=5,
)
records = st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, values)), min_size=1, max_size=8)


def lines(*content: str | bytes) -> Reading:
    return read_jsonl(b"\n".join(x if isinstance(x, bytes) else x.encode() for x in content) + b"\n", LINES)


def amounts(reading: Reading) -> list[Any]:
    return [row["amount"] for row in reading.rows.to_pylist() if row["_problem"] is None]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.10", "1.10"),
        ("-0.0", "-0.0"),
        ("1E+2", "1E+2"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("9" * 5_000, "9" * 5_000),
        ("true", "true"),
        ("false", "false"),
        ("null", None),
        ('""', ""),
        ('"1,5"', "1,5"),
        (r'"\u00fc\/"', "ü/"),
        ('[1.10, {"a" : null}]', '[1.10,{"a":null}]'),
    ],
)
def test_a_value_is_the_text_that_was_written(written: str, expected: str | None) -> None:
    assert amounts(lines(f'{{{RECORD},"amount":{written}}}')) == [expected]
    assert amounts(read_json(f'[{{{RECORD},"amount":{written}}}]'.encode(), DOCUMENT)) == [expected]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ('{"amount":1', "no JSON at character 12"),
        ("5", "the record is no JSON object"),
        (f'{{{RECORD},"amount":1,"amount":2}}', "key 'amount' stands there twice"),
        (f'{{{RECORD},"amount":1,"x":{{"y":1,"y":1}}}}', "key 'y' stands there twice"),
        (f'{{{RECORD},"amount":NaN}}', "NaN is no JSON value"),
        (f'{{{RECORD},"amount":1}} {{}}', "text follows the object"),
        (f'{{{RECORD},"amount":"\\u0000"}}', "amount holds a NUL byte"),
        (f'{{{RECORD},"amount":"\\ud800"}}', "character 1 of amount is no UTF-8"),
        (f'{{{RECORD},"amount":"'.encode() + b'\xe4"}', "character 1 of amount is no UTF-8"),
        (f'{{{RECORD},"amount":1,"x":"\\ud800"}}', "of what is not declared is no UTF-8"),
        (f'{{{RECORD},"amount":"{"x" * 65_537}"}}', "amount has 65537 bytes, more than 65536"),
        (f'{{{RECORD},"amount":{"[" * 100_000}}}', "Nested too deeply"),
        (f'{{{RECORD},"amount":{"[" * 700}{"]" * 700}}}', "nested too deeply"),
    ],
)
def test_a_damaged_line_is_one_record_and_the_good_ones_after_it_go_on(record: str | bytes, problem: str) -> None:
    reading = lines(GOOD, record, "", GOOD)
    *_, damaged = reading.rows.to_pylist()
    assert (reading.rows.num_rows, reading.control_lines, amounts(reading)) == (3, 1, ["1", "1"])
    assert problem in damaged["_problem"]
    assert damaged["_record"] == (record if isinstance(record, bytes) else record.encode())
    assert (damaged["_row_number"], damaged["_byte_offset"]) == (2, len(GOOD) + 1)


def test_lines_have_their_number_and_place() -> None:
    reading = read_jsonl(b"\xef\xbb\xbf\r\n" + f"{GOOD}\r\n \t\n{GOOD}".encode(), LINES)
    places = [(row["_row_number"], row["_byte_offset"]) for row in reading.rows.to_pylist()]
    assert (places, reading.control_lines) == ([(2, 5), (4, 5 + len(GOOD) + 2 + 3)], 2)


def test_undeclared_keys_are_kept_and_missing_ones_are_null() -> None:
    first, second = lines(f'{{{RECORD},"amount":1,"x":1.10,"y":{{"z":"ü"}}}}', '{"amount":2}').rows.to_pylist()
    assert (first["_extra"], second["_extra"]) == ('{"x":1.10,"y":{"z":"ü"}}', None)
    assert (second["amount"], second["account_id"], second["_problem"]) == ("2", None, None)


def test_a_declared_column_that_no_record_has_is_a_missing_column() -> None:
    with pytest.raises(DeliveryRejected, match=r"no record has 'amount': add the key .*aliases"):
        lines(f"{{{RECORD}}}", f"{{{RECORD}}}")
    assert lines("", "").records_read == 2
    assert read_json(b"[]", DOCUMENT).records_read == 0


def test_a_dotted_name_reaches_into_objects_and_a_key_of_that_name_comes_first() -> None:
    spec = minimal_spec(
        deliveries={"format": "jsonl"}, columns={"amount": {"source": "money.value", "aliases": ["sum"]}}
    )
    nested = f'{{{RECORD},"money":{{"value":1.10,"unit":"EUR"}}}}'
    whole = f'{{{RECORD},"money":{{"value":2}}}}'
    plain = f'{{{RECORD},"money.value":3}}'
    twice = f'{{{RECORD},"money":{{"value":4}},"sum":5}}'
    rows = read_jsonl(f"{nested}\n{whole}\n{plain}\n{twice}".encode(), spec).rows.to_pylist()
    assert [row["money.value"] for row in rows] == ["1.10", "2", "3", None]
    assert [row["_extra"] for row in rows[:3]] == ['{"money":{"unit":"EUR"}}', None, None]
    assert rows[3]["_problem"] == "money.value stands there more than once, as 'money.value', 'sum'"


def test_an_array_deep_in_a_document_is_read_with_the_place_of_each_record() -> None:
    spec = minimal_spec(deliveries={"format": "json", "json_records": "data.items"})
    head = '{"ü": [1, {"items": []}], "data": {"n": 2, "items": [\n '
    content = f'{head}{GOOD},\n{{"amount":1,"amount":1}} , {GOOD}], "z": null}}, "end": {{}}}}\n'.encode()
    reading = read_json(content, spec)
    rows = reading.rows.to_pylist()
    assert [(row["_row_number"], row["_problem"]) for row in rows] == [
        (1, None),
        (3, None),
        (2, "key 'amount' stands there twice"),
    ]
    assert all(content[row["_byte_offset"] :].startswith(b'{"') for row in rows)
    assert (rows[0]["_byte_offset"], rows[2]["_record"]) == (len(head.encode()), b'{"amount":1,"amount":1}')


@pytest.mark.parametrize(
    ("content", "path", "problem"),
    [
        (f"[{GOOD},", None, "no complete JSON document .line 1"),
        (f"[{GOOD}] x", None, "Extra data"),
        (f"{GOOD}\n{GOOD}", None, "no JSON document|no complete|no array at its top; correct deliveries.json_records"),
        ('{"a":[]}', "b", r"there is no 'b', only \['a'\]; correct"),
        ("{}", "b", r"there is no 'b', only \[\]"),
        ("[]", "b", r"there is no 'b'"),
        ('{"a":{"b":1}}', "a.b", "there is no array at 'a.b'"),
        ('{"a":[],"a":[]}', "a", "'a' stands there twice"),
        ('{"a":[]', "a", "no complete JSON document"),
        ('{"a" []}', "a", "no complete JSON document"),
        ("{1:[]}", "a", "no complete JSON document"),
        ("", None, "no complete JSON document"),
    ],
)
def test_a_document_that_cannot_be_read_as_a_whole_is_rejected(content: str, path: str | None, problem: str) -> None:
    spec = minimal_spec(deliveries={"format": "json", "json_records": path})
    with pytest.raises(DeliveryRejected, match=problem):
        read_json(content.encode(), spec)


@settings(max_examples=60)
@given(rows=records, indent=st.sampled_from([None, 2]), damaged=st.sets(st.integers(0, 7)))
def test_any_records_come_back_as_exactly_the_good_and_exactly_the_damaged_ones(
    rows: list[dict[str, Any]], indent: int | None, damaged: set[int]
) -> None:
    broken = [f'{{"amount":1,{json.dumps(row)[1:]}' if i in damaged else json.dumps(row) for i, row in enumerate(rows)]
    expected = [i + 1 for i in range(len(rows)) if i not in damaged]
    document = "[" + (",\n" if indent else ",").join(broken) + "]"
    for reading in (read_jsonl("\n".join(broken).encode(), LINES), read_json(document.encode(), DOCUMENT)):
        found = reading.rows.to_pylist()
        assert [row["_row_number"] for row in found if row["_problem"] is None] == expected
        assert {row["_row_number"] - 1 for row in found if row["_problem"]} == damaged & set(range(len(rows)))
        for row in found[: len(expected)]:
            written = rows[row["_row_number"] - 1]
            assert {name: row[name] for name in COLUMNS} == {name: as_written(written[name]) for name in COLUMNS}


@settings(max_examples=200)
@given(content=st.text('[]{}",:1a \n\\').map(str.encode) | st.binary(max_size=60))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    for read, spec in ((read_jsonl, LINES), (read_json, DOCUMENT)):
        try:
            assert read(content, spec).records_read >= 0
        except DeliveryRejected:
            continue


def test_the_given_json_of_csv_spectrum_reads_as_its_csv(shared_data: Path) -> None:
    for path in sorted((shared_data / "badcsv" / "json").glob("*.json")):
        expected = json.loads(path.read_bytes())
        if isinstance(expected, dict):
            with pytest.raises(DeliveryRejected, match=f"{path.name}: there is no array at its top"):
                read_delivery(path.name, path.read_bytes(), DOCUMENT)
            continue
        first, second, *_ = expected[0]
        columns = {"event_at": {"source": first}, "amount": {"source": second}, "currency": {"fixed": "EUR"}}
        spec = InstitutionSpec.model_validate({**DOCUMENT.model_dump(), "columns": columns})
        rows = read_delivery(path.name, path.read_bytes(), spec).rows.to_pylist()
        declared = list(spec.declared)
        found = [{**{name: row[name] for name in declared}, **json.loads(row["_extra"] or "{}")} for row in rows]
        assert found == expected, path.name


def test_a_path_to_records_is_for_documents_only() -> None:
    with pytest.raises(ValidationError, match="expected it with `format: json`"):
        minimal_spec(deliveries={"format": "jsonl", "json_records": "a"})


def as_written(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
