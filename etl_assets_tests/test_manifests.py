"""What a manifest states, in JSON or in lines, and that a delivery which is something else is refused in numbers."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from etl_assets.institution_spec import Amount
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.sources.manifests import (
    Announced,
    DeliveryPartial,
    ManifestUnreadable,
    refuse_other_bytes,
    refuse_other_rows,
    stated,
)
from etl_assets.sources.totals import Tally
from etl_assets.spec.announcements import Manifest
from etl_assets.spec.deliveries import Deliveries

JSON = Manifest(name="{name}.json")
LINES = Manifest(name="{name}.ctl", pattern=r"(RECORDS=(?P<rows>\d+)|SUM=(?P<total>[-\d.,]+)|MD5=(?P<md5>.*))")
OF_SEVERAL = Manifest(name="all_{business_date}.csv", pattern=r"(?P<file>[^;]+);(?P<rows>\d+);(?P<total>[-\d,.]+)")
AMOUNT = Amount(source="amount", decimal_mark=",", thousands_mark=".")


def tally(*amounts: str) -> Tally:
    found = Tally(AMOUNT)
    found.add(pa.table({"amount": pa.array(amounts, pa.string())}))
    return found


def of(content: Any, manifest: Manifest = JSON) -> Announced:
    text = content if isinstance(content, str) else json.dumps(content)
    (announced,) = stated(text.encode(), "m", manifest).values()
    return announced


def test_json_states_facts_under_their_names_or_where_the_fields_say() -> None:
    sha = hashlib.sha256(b"x").hexdigest()
    assert of({"rows": 2, "total": "1,50", "sha256": sha.upper(), "size_bytes": 1, "other": []}) == Announced(
        "m", rows="2", total="1,50", size_bytes=1, sha256=sha
    )
    placed = Manifest(name="{name}.json", fields={"rows": "control.count", "total": "control.sum"})
    assert of({"control": {"count": 3, "sum": -4.50}}, placed) == Announced("m", rows="3", total="-4.5")


def test_lines_state_facts_by_their_groups_among_other_lines() -> None:
    digest = hashlib.md5(b"x", usedforsecurity=False).hexdigest()
    text = f"Bank of Tests\r\nRECORDS=2\r\nSUM=1.000,50\r\nMD5={digest}\r\n"
    assert of(text, LINES) == Announced("m", rows="2", total="1.000,50", md5=digest)


@pytest.mark.parametrize(
    ("text", "manifest"),
    [
        ("file;rows;total\na.csv;2;3,5\nb.csv;0;0\n", OF_SEVERAL),
        (
            '{"files": [{"name": "a.csv", "rows": 2, "total": "3,5"}, {"name": "b.csv", "rows": 0, "total": "0"}]}',
            Manifest(name="{stem}.json", files="files", fields={"file": "name"}),
        ),
    ],
)
def test_a_manifest_of_several_files_speaks_of_each(text: str, manifest: Manifest) -> None:
    assert stated(text.encode(), "m", manifest) == {
        "a.csv": Announced("m", rows="2", total="3,5"),
        "b.csv": Announced("m", rows="0", total="0"),
    }


@pytest.mark.parametrize(
    ("text", "manifest", "said"),
    [
        ("{", JSON, "no JSON"),
        ("[]", JSON, "states nothing"),
        ('{"rows": 1} {"rows": 2}', JSON, "behind"),
        ('{"rows": 1, "rows": 2}', JSON, "twice"),
        ('{"rows": null}', JSON, "states nothing"),
        ('{"sha256": "abc"}', JSON, "64 hexadecimal"),
        ('{"size_bytes": 1.5}', JSON, "no number"),
        ('{"rows": 1}', Manifest(name="{name}.j", fields={"total": "sum"}), "no total"),
        ('{"rows": 1}', Manifest(name="{name}.j", files="files"), "array at 'files'"),
        ('{"files": [{"rows": 1}]}', Manifest(name="{name}.j", files="files"), "no file"),
        ("RECORDS=2\n", LINES, "no md5 and no total"),
        ("a;1;2\na;1;2\n", OF_SEVERAL, "of a more than once"),
        ("\x00\ud800", JSON, "no UTF-8"),
    ],
)
def test_a_manifest_that_does_not_say_what_it_should_is_named(text: str, manifest: Manifest, said: str) -> None:
    with pytest.raises(ManifestUnreadable, match=f"the manifest m.*{said}"):
        stated(text.encode("utf-8", "surrogatepass"), "m", manifest)


@settings(deadline=None)
@given(st.binary(max_size=60) | st.from_regex(rb'\{"(rows|total|md5)": ?"?[-0-9.,e]{1,5}"?\}', fullmatch=True))
def test_any_bytes_are_facts_or_a_refusal(content: bytes) -> None:
    for manifest in (JSON, LINES, OF_SEVERAL):
        with suppress(ManifestUnreadable):
            for announced in stated(content, "m", manifest).values():
                announced.stated_rows(AMOUNT)


@pytest.mark.parametrize("total", ["1000,50", "1.000,5", "1000", 1000.5])
def test_rows_and_total_agree_at_their_printed_precision(total: object) -> None:
    refuse_other_rows(of({"rows": 2, "total": total}), tally("1000,25", "0,25"))


@pytest.mark.parametrize(
    ("announced", "kind", "said"),
    [
        ({"rows": 3}, DeliveryPartial, "m expects 3 records, and the file has 2"),
        ({"rows": 1}, DeliveryRejected, "m expects 1 records, and the file has 2"),
        ({"total": 3.2}, DeliveryRejected, "m expects a total of 3.2, and the amounts sum to 3"),
        ({"rows": "two"}, DeliveryRejected, "no number"),
    ],
)
def test_other_rows_than_stated_are_refused_with_both_numbers(
    announced: dict[str, object], kind: type[Exception], said: str
) -> None:
    with pytest.raises(DeliveryRejected, match=said) as refusal:
        refuse_other_rows(of(announced), tally("1", "2"))
    assert type(refusal.value) is kind


def test_the_bytes_are_those_that_are_stated() -> None:
    whole = Announced("m", size_bytes=1, sha256="ab", md5=hashlib.md5(b"x", usedforsecurity=False).hexdigest())
    refuse_other_bytes(whole, 1, "ab", [b"x", b""])
    refuse_other_bytes(Announced("m", rows="1"), 1, "ab", iter(()))
    for size, sha, content, kind in ((0, "ab", b"x", DeliveryPartial), (2, "ab", b"x", DeliveryRejected)):
        with pytest.raises(kind, match="m states 1 bytes, and the file has"):
            refuse_other_bytes(whole, size, sha, [content])
    for sha, content, said in (("cd", b"x", "SHA-256 ab, and the file has cd"), ("ab", b"y", "MD5")):
        with pytest.raises(DeliveryRejected, match=said):
            refuse_other_bytes(whole, 1, sha, [content])


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"marker": "done"}, "one file would announce all"),
        ({"marker": "{name"}, "expected a name"),
        ({"marker": "{name!r}.done"}, "nothing else in them"),
        ({"marker": "../{name}.done"}, "in the folder"),
        (
            {"marker": "{region}.done"},
            r"asks for \['region'\]; expected name, stem or a group of file_name: bus",
        ),
        ({"manifest": {"name": "{day}.json"}}, r"asks for \['day'\]"),
        ({"manifest": {"name": "{name}.j", "pattern": "rows"}}, "expected a named group that states something"),
        ({"manifest": {"name": "{name}.j", "pattern": "(?P<file>.*)"}}, "expected a named group that states something"),
        ({"manifest": {"name": "{name}.j", "pattern": "(?P<sum>.*)"}}, "no named groups but"),
        ({"manifest": {"name": "{name}.j", "pattern": "(?P<rows>.*)", "files": "f"}}, "expected one of them"),
        ({"manifest": {"name": "{name}.j", "fields": {"file": "n"}}}, "expected that path too"),
        ({"manifest": {"name": "{name}.j", "fields": {"lines": "n"}}}, "fields.lines"),
    ],
)
def test_a_mistake_in_the_settings_is_told(settings_: dict[str, object], said: str) -> None:
    base = {"folder": "f", "file_name": r"tx_(?P<business_date>\d{8})\.csv"}
    with pytest.raises(ValidationError, match=said):
        Deliveries.model_validate(base | settings_)
