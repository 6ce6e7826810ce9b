"""First YAMLs from files that others published: what is guessed is right, and every record is accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from etl_assets.definitions import DEMO_INSTITUTIONS
from etl_assets.institution_spec import load_spec
from etl_assets.onboarding.first_yaml import Answers, first_draft, spec_of
from etl_assets.onboarding.preview import preview
from etl_assets.onboarding.yaml_writing import yaml_text
from etl_assets.simulator import simulate


class Expected(NamedTuple):
    """A file, its records, and what its first YAML must say of it."""

    file: str
    records: int
    event_at: dict[str, Any]
    amount: dict[str, Any]
    others: dict[str, str]
    deliveries: Mapping[str, Any] = MappingProxyType({})
    published: int | None = None


OUT = {"sign": "positive_leaves"}
FILES = [
    Expected(
        "leeds_spend/2011-01.raw.csv",
        8_837,
        {"source": "Date paid", "formats": ["%d-%b-%Y"]},
        {"source": "Net Amount", **OUT},
        {"transaction_id": "Transaction Number", "counterparty_id": "Supplier name"},
        {"file_name": r"(?P<year>\d{4})-(?P<month>\d{2})\.raw\.csv", "csv": {"encoding": "cp1252", "separator": ","}},
    ),
    Expected(
        "leeds_spend/2013-12.raw.csv",
        9_574,
        {"source": "DatePaid", "formats": ["%d-%b-%y"]},
        {"source": "NetAmount", **OUT},
        {"transaction_id": "TransactionNumber", "counterparty_id": "SupplierName"},
        {
            "csv": {
                "encoding": "utf-8",
                "separator": ",",
                "footer": {"pattern": r",,,,,,,,,(?P<total>-?\d[\d.]*),,"},
            }
        },
    ),
    Expected(
        "oxford_gpc/procurement-card-spending-jan-mar-2017.csv",
        1_141,
        {"source": "Date", "formats": ["%d/%m/%Y"]},
        {"source": "Value", "thousands_mark": ",", **OUT},
        {"counterparty_id": "Merchant", "description": "Transaction description"},
    ),
    Expected(
        "oxford_gpc/procurement-card-spending-july-2017.csv",
        284,
        {"source": "FIN.TRANSACTION DATE", "formats": ["%d/%m/%Y"]},
        {"source": "FIN.TRANSACTION AMOUNT", **OUT},
        {"counterparty_id": "MCH.MERCHANT NAME"},
        {"file_name": r"procurement-card-spending-(?P<month>[A-Za-z]{3,9})-(?P<year>\d{4})\.csv"},
    ),
    Expected(
        "trafford_gpc/government_procurement_card_transactions_2026-27.csv",
        2_024,
        {"source": "PaymentDate", "formats": ["%Y-%m-%d"]},
        {"source": "Amount", **OUT},
        {"counterparty_id": "BeneficiaryName", "category": "MerchantCategoryCode", "description": "Purpose"},
    ),
    Expected(
        "ibm_user0/User0_credit_card_transactions.csv",
        19_963,
        {"source": "Year", "followed_by": ["Month", "Day", "Time"], "formats": ["%Y %m %d %H:%M"]},
        {"source": "Amount", "symbols": ["$"], **OUT},
        {"account_id": "Card", "counterparty_id": "Merchant Name", "category": "MCC"},
        published=-1,
    ),
    Expected(
        "sparkov/adults_50up_female_rural_000-099.csv",
        1_092,
        {"source": "trans_date", "followed_by": ["trans_time"], "formats": ["%Y-%m-%d %H:%M:%S"]},
        {"source": "amt", **OUT},
        {"transaction_id": "trans_num", "account_id": "cc_num", "counterparty_id": "merchant"},
        {"csv": {"encoding": "utf-8", "separator": "|"}},
        published=-1,
    ),
    Expected(
        "amlsim/tx.csv",
        45,
        {"source": "start", "steps": {"origin": "2026-01-01T00:00:00", "unit": "day"}},
        {"source": "TXN_AMOUNT_ORIG", **OUT},
        {"transaction_id": "TXN_ID", "account_id": "ACCOUNT_ID", "counterparty_id": "COUNTER_PARTY_ACCOUNT_NUM"},
        published=-1,
    ),
    Expected(
        "birmingham_pcards/cusersfinainmndesktoppublish-spend-august-2017-all-directorates.xls",
        2_306,
        {"source": "TRANS DATE", "formats": ["%Y-%m-%d"]},
        {"source": "BILLING GROSS AMT", **OUT},
        {"account_id": "CARD NUMBER", "counterparty_id": "MERCHANT NAME", "currency": "BILLING CUR CODE"},
        {"format": "excel", "excel": {"sheet": "Sheet1"}},
    ),
    Expected(
        "birmingham_pcards/publish-spend-december-2016.xls",
        3_002,
        {"source": "TRANS DATE", "formats": ["%Y-%m-%d"]},
        {"source": "ORIGINAL GROSS AMT", **OUT},
        {"account_id": "CARD NUMBER", "counterparty_id": "MERCHANT NAME"},
        published=-1,
    ),
    Expected(
        "birmingham_pcards/purchasecardtransactionsapril2014.xls",
        2_690,
        {"source": "TRANS DATE", "formats": ["%Y-%m-%d"]},
        {"source": "ORIGINAL GROSS AMT", **OUT},
        {"account_id": "CARD NUMBER", "currency": "BILLING CUR CODE"},
        {"format": "excel", "excel": {"sheet": "APR 2014"}},
        published=-1,
    ),
]


@pytest.mark.parametrize("expected", FILES, ids=[e.file.split("/")[1] for e in FILES])
def test_the_first_yaml_loads_and_reads_its_sample(
    expected: Expected, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every record is published but those with a true defect, such as an event after the end of its month."""
    monkeypatch.setenv("ETL_TOKEN_KEY", "for this test only, and long enough")
    sample = shared_data / expected.file
    draft = first_draft(sample, Answers("bank_x", currency="GBP"))
    (tmp_path / "bank_x.yaml").write_text(yaml_text(draft, "# first"), encoding="utf-8")
    spec = load_spec(tmp_path / "bank_x.yaml")
    assert spec.model_dump() == type(spec).model_validate(draft.values).model_dump()
    columns = draft.values["columns"]
    assert columns["event_at"] == expected.event_at
    assert columns["amount"] == expected.amount
    assert {name: columns[name]["source"] for name in expected.others} == expected.others
    assert {name: draft.values["deliveries"].get(name) for name in expected.deliveries} == expected.deliveries
    found = preview(sample, spec)
    assert found.problem is None
    assert found.account["records_read"] - found.account["control_lines"] == expected.records
    counted = sum(found.account[name] for name in ("published", "invalid", "duplicate", "superseded"))
    assert counted == expected.records
    if expected.published is None:
        assert found.is_clean, found.reasons
    else:
        assert set(found.reasons) <= {"event_at_is_too_late", "event_at_is_after_business_date"}


@pytest.mark.parametrize("bank", ["nordbank", "kartenhaus", "mercado"])
def test_the_first_yaml_of_a_simulated_bank_says_what_its_own_yaml_says(bank: str, tmp_path: Path) -> None:
    """Its author's YAML is the oracle: the same source for every column, the same patterns, marks, sign and key."""
    simulate(tmp_path, days=5)
    known = load_spec(DEMO_INSTITUTIONS / f"{bank}.yaml")
    sample = max((tmp_path / bank).iterdir())
    found = spec_of(first_draft(sample, Answers(bank, currency="MXN", time_zone=known.time_zone)))
    mapped = {name: column.source for name, column in found.columns.mapped.items()}
    expected = {
        name: next((t for t in (column.source, *column.aliases) if t in mapped.values()), column.source)
        for name, column in known.columns.mapped.items()
        if (bank, name) != ("kartenhaus", "description")  # a merchant's name might as well be its id
    }
    assert mapped == expected
    assert found.columns.event_at.formats == known.columns.event_at.formats
    assert found.columns.amount.decimal_mark == known.columns.amount.decimal_mark
    assert found.columns.amount.sign == known.columns.amount.sign
    assert (found.key, found.event_precision) == (known.key, known.event_precision)
    assert found.deliveries.business_date(sample.name) == known.deliveries.business_date(sample.name)


def test_the_personal_columns_of_sparkov_are_tokens_or_dropped(shared_data: Path) -> None:
    draft = first_draft(shared_data / "sparkov/adults_50up_female_rural_000-099.csv", Answers("bank_x"))
    personal = draft.values["personal_data"]
    assert personal["tokens"] == ["cc_num"]
    assert {"ssn", "first", "last", "street", "dob"} <= set(personal["dropped"])
    assert "personal_data" in [place for place, _ in draft.questions]


def test_a_check_shows_no_personal_value(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_TOKEN_KEY", "for this test only, and long enough")
    sample = shared_data / "sparkov/adults_50up_female_rural_000-099.csv"
    shown = repr(preview(sample, spec_of(first_draft(sample, Answers("bank_x", currency="USD"))), rows=1_000))
    first = sample.read_text(encoding="utf-8").splitlines()[1].split("|")
    assert not [value for value in (first[0], first[1], first[5]) if value in shown]
    assert "tok_" in shown
