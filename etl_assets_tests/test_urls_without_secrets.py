"""A password that nobody percent-encoded splits its URL in the wrong place; no piece of it is told anywhere."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from etl_assets.io_managers.errors import Refused, Unavailable
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from models.registry import Registry, RegistryUnavailable

SPLIT = ["a/wr0ng", "a@wr0ng", "12/wr0ng", "%ZZwr0ng"]
WHOLE = ["wr0ng", "a%2Fwr0ng", "a#wr0ng"]


def url(password: str, scheme: str = "postgresql") -> str:
    return f"{scheme}://etl:{password}@127.0.0.1:1/postgres"


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("password", SPLIT)
def test_a_url_that_falls_apart_inside_its_password_is_refused_without_a_piece_of_it(password: str) -> None:
    with pytest.raises(Refused, match="percent-encoded") as refused:
        PostgresWarehouse(url=url(password), retry_for_s=0).exists("bank", "table")
    assert "wr0ng" not in printed(refused.value)


@pytest.mark.parametrize("password", WHOLE)
def test_a_server_that_does_not_answer_is_named_without_its_password(password: str) -> None:
    warehouse = PostgresWarehouse(url=url(password), retry_for_s=0)
    with pytest.raises(Unavailable) as wrote:
        warehouse.exists("bank", "table")
    with pytest.raises(Unavailable) as read:
        warehouse.fetch("SELECT 1")
    assert "wr0ng" not in printed(wrote.value) + printed(read.value)


@pytest.mark.parametrize("password", [*SPLIT, *WHOLE])
def test_a_registry_that_does_not_answer_is_named_without_its_password(password: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryUnavailable, match=r"model registry postgresql\+psycopg2://") as silent:
        Registry(url(password, "postgresql+psycopg2"), tmp_path).prepare()
    assert "wr0ng" not in printed(silent.value)
