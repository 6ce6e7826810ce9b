"""What a person types into a personal column is a token before it is stored; a dropped column has no corrections."""

from __future__ import annotations

import pyarrow as pa
import pytest

from etl_assets.commands import quarantine_screens as screen
from etl_assets.deliveries.ledger import Ledger
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Target
from etl_assets.repair.correction_file import FileRefused, read
from etl_assets.repair.corrections_asked import asked_by
from etl_assets.repair.questions import Quarantine
from etl_assets.repair.repairs import Correction
from etl_assets.sources.tokens import VARIABLE, NotRevealed, keys_of
from etl_assets.tables import QUARANTINED, raw_table
from etl_assets_tests.raw_rows import DAY, cleaned, delivery
from etl_assets_tests.reads import read as read_of
from etl_assets_tests.specs import minimal_spec

CARD, TOKEN = "4111 1111 1111 1111", "tok_" + "a" * 26
SPEC = minimal_spec(personal_data={"tokens": ["account_id"], "dropped": ["counterparty_id"]})


@pytest.fixture
def quarantine(warehouse: PostgresWarehouse, monkeypatch: pytest.MonkeyPatch) -> Quarantine:
    """One row with a broken amount, its account a token."""
    monkeypatch.setenv(VARIABLE, "a secret of the tests that is long enough")
    rows = delivery(SPEC, {"amount": "x", "account_id": TOKEN, "counterparty_id": None})
    Ledger(warehouse, SPEC.institution).record([read_of("d1.csv", day=DAY, delivery_id=f"d1@{DAY}")], "run")
    warehouse.write(Target(SPEC.institution, raw_table(SPEC)), WHOLE, rows, "run")
    warehouse.write(Target(SPEC.institution, QUARANTINED), WHOLE, cleaned(SPEC, rows).quarantined, "run")
    return Quarantine(warehouse, SPEC)


def asked(quarantine: Quarantine, column: str, text: str) -> list[Correction]:
    content = f"_delivery_id,_row_number,{column}\nd1@{DAY},2,{text}\n"
    return asked_by(read("f.csv", content.encode(), list(SPEC.declared)), quarantine)


def test_a_typed_card_becomes_its_token(quarantine: Quarantine) -> None:
    (correction,) = asked(quarantine, "account_id", CARD)
    expected = keys_of(SPEC.institution).tokens(pa.chunked_array([[CARD]])).to_pylist()
    assert correction.fields == {"account_id": expected[0]}


def test_a_token_is_taken_as_it_stands(quarantine: Quarantine) -> None:
    assert asked(quarantine, "account_id", TOKEN) == []
    (other,) = asked(quarantine, "account_id", "tok_" + "b" * 26)
    assert other.fields == {"account_id": "tok_" + "b" * 26}


def test_a_dropped_column_cannot_be_corrected(quarantine: Quarantine) -> None:
    with pytest.raises(FileRefused, match="line 2, column counterparty_id: personal_data drops it") as refused:
        asked(quarantine, "counterparty_id", "Ada Lovelace")
    assert "Ada" not in str(refused.value)


def test_an_encrypted_record_is_shown_only_to_who_asks_and_has_the_key(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "a secret of the tests that is long enough")
    row = {"_record": keys_of(SPEC.institution).sealed(b"T1;Ada Lovelace;")}
    screen.record("as delivered", row, SPEC)
    assert "Ada" not in capsys.readouterr().out
    screen.record("as delivered", row, SPEC, reveal=True)
    assert "T1;Ada Lovelace;" in capsys.readouterr().out
    monkeypatch.setenv(VARIABLE, "another secret of the tests that is long enough")
    with pytest.raises(NotRevealed):
        screen.record("as delivered", row, SPEC, reveal=True)
