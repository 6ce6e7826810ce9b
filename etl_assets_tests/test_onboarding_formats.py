"""What stands round and in a sample: formats, preambles, footers, codes, titles; and what is no table at all."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from etl_assets.institution_spec import SpecRefused
from etl_assets.onboarding.first_yaml import default_name, spec_of
from etl_assets.onboarding.preview import preview
from etl_assets_tests.test_onboarding_dialects import drafted

ROWS = [
    {"at": f"2026-03-0{d}T10:00:00", "id": f"i{d}", "payment": {"amount": f"-{d}.50", "currency": "EUR"}}
    for d in range(1, 9)
]


@pytest.mark.parametrize(
    ("name", "content", "settings_"),
    [
        ("tx_20260308.jsonl", "\n".join(map(json.dumps, ROWS)).encode(), {"format": "jsonl"}),
        ("tx_20260308.json", json.dumps(ROWS).encode(), {"format": "json"}),
        (
            "tx_20260308.json",
            json.dumps({"data": {"tx": ROWS}}).encode(),
            {"format": "json", "json_records": "data.tx"},
        ),
        ("tx_20260308.jsonl.gz", gzip.compress("\n".join(map(json.dumps, ROWS)).encode()), {"format": "jsonl"}),
    ],
    ids=["lines", "array", "array in a document", "compressed"],
)
def test_json_is_told_by_its_records(name: str, content: bytes, settings_: dict[str, str], tmp_path: Path) -> None:
    draft, sample = drafted(tmp_path, name, content)
    assert settings_.items() <= draft.values["deliveries"].items()
    columns = draft.values["columns"]
    assert columns["amount"] == {"source": "payment.amount", "sign": "negative_leaves"}
    assert columns["currency"] == {"source": "payment.currency"}
    assert preview(sample, spec_of(draft)).is_clean


def test_a_preamble_and_a_footer_are_no_records(tmp_path: Path) -> None:
    lines = [
        "Export of Bank X",
        "",
        "id;date;amount",
        *(f"n{d};0{d}.03.2026;-{d},50" for d in range(1, 9)),
        "END;8;-40,00",
    ]
    draft, sample = drafted(tmp_path, "tx_20260308.csv", "\n".join([*lines, ""]).encode())
    dialect = draft.values["deliveries"]["csv"]
    assert dialect["preamble_lines"] == 2
    assert dialect["footer"] == {"pattern": r"END;(?P<rows>\d+);(?P<total>-?\d[\d,]*)"}
    found = preview(sample, spec_of(draft))
    assert found.is_clean, found.problem or found.reasons
    assert found.account["published"] == 8


def test_a_last_record_that_is_cut_off_is_not_taken_for_a_footer(tmp_path: Path) -> None:
    lines = ["id;date;amount", *(f"n{d};0{d}.03.2026;-{d},50" for d in range(1, 9)), "Smith 9;09.0"]
    draft, sample = drafted(tmp_path, "tx_20260308.csv", "\n".join(lines).encode())
    assert "footer" not in draft.values["deliveries"]["csv"]
    assert "QUESTION" in draft.notes["deliveries"][0]
    assert "Smith" not in draft.notes["deliveries"][0]
    assert preview(sample, spec_of(draft)).account["invalid"] == 1


def test_debit_and_credit_codes_say_the_sign(tmp_path: Path) -> None:
    text = "date,amount,direction\n" + "".join(f"2026-03-0{d},{d}.00,{'CR' if d % 2 else 'DR'}\n" for d in range(1, 9))
    draft, sample = drafted(tmp_path, "tx_20260308.csv", text.encode())
    codes = draft.values["columns"]["amount"]["debit_credit"]
    assert (codes["leaves"], codes["arrives"]) == (["DR"], ["CR"])
    assert preview(sample, spec_of(draft)).is_clean


def test_a_column_that_the_platform_keeps_for_itself_gets_another_name(tmp_path: Path) -> None:
    draft, sample = drafted(tmp_path, "tx_20260308.csv", b"business_date,amount\n2026-03-08,1.00\n2026-03-07,2.00\n")
    assert draft.values["columns"]["event_at"]["aliases"] == ["business_date"]
    assert preview(sample, spec_of(draft)).is_clean


@pytest.mark.parametrize("content", [b"20260302 12.50 Kiosk\n", b"", b"\n\n", b"{broken", b"PAR1xxxx", b"only\n1\n"])
def test_what_is_no_table_is_refused_in_words(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(SpecRefused, match=r"tx_20260302\.csv: "):
        drafted(tmp_path, "tx_20260302.csv", content)


def test_an_institution_is_named_after_its_sample() -> None:
    assert default_name(Path("Bank-X_2026-03-02.csv")) == "bank_x"
    assert default_name(Path("leeds/2011-01.csv")) == "leeds"
