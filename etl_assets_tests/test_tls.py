"""A server is trusted for its certificate and a client for its own; what cannot mend by itself is refused for good."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl_assets.embedded.postgres_process import HOST
from etl_assets.io_managers.errors import Refused
from etl_assets.io_managers.postgres.connections import close_all
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.targets import Target
from etl_assets_tests.payments import MONDAY, PAYMENTS, payments, stored, write
from etl_assets_tests.tls_server import TlsServer, tls_server

Use = Callable[[PostgresWarehouse], object]
ENCRYPTION = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with tls_server(tmp_path_factory.mktemp("tls")) as server:
        yield server
        close_all()


@pytest.fixture(params=["psycopg", "adbc"])
def use(request: pytest.FixtureRequest) -> Use:
    """Each driver brings a libpq of its own."""
    ways: dict[str, Use] = {"psycopg": lambda w: w.written("bank", "payments"), "adbc": lambda w: w.fetch(ENCRYPTION)}
    return ways[request.param]


def refusal(use: Use, url: str, *secrets: str) -> str:
    """What a warehouse says that gives up at once and for good, without a secret of the URL."""
    with pytest.raises(Refused) as refused:
        use(PostgresWarehouse(url=url))
    said = str(refused.value.description)
    assert refused.value.allow_retries is False
    assert not [secret for secret in secrets if secret in said]
    return said


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_a_server_with_the_right_certificate_is_written_and_read(tls: TlsServer, host: str) -> None:
    warehouse = PostgresWarehouse(url=tls.verified(host=host))
    write(warehouse, payments(MONDAY, 1, 2), MONDAY)
    assert stored(warehouse, MONDAY) == [(MONDAY, 1), (MONDAY, 2)]
    assert warehouse.fetch(ENCRYPTION)["version"].to_pylist() == ["TLSv1.3"]


def test_a_client_certificate_logs_in_without_a_password(tls: TlsServer) -> None:
    warehouse, mine = PostgresWarehouse(url=tls.verified(**tls.client())), Target("certified", PAYMENTS)
    warehouse.write(mine, daily_slice("day", [MONDAY]), payments(MONDAY, 1), "run")
    assert warehouse.read_slice(mine, daily_slice("day", [MONDAY]))["id"].to_pylist() == [1]
    assert warehouse.fetch("SELECT current_user::text AS who")["who"].to_pylist() == ["etl_cert"]


def test_a_certificate_of_another_authority_is_refused_for_good(tls: TlsServer, use: Use) -> None:
    said = refusal(use, tls.verified(sslrootcert=str(tls.other_ca_file)), tls.password)
    assert "certificate" in said
    assert "sslrootcert" in said


def test_a_certificate_for_another_host_is_refused_for_good(tls: TlsServer, use: Use) -> None:
    said = refusal(use, tls.verified(host="warehouse.example", hostaddr=HOST), tls.password)
    assert "warehouse.example" in said
    assert "certificate for another host" in said


def test_a_server_elsewhere_must_prove_itself_although_the_url_does_not_ask(tls: TlsServer, use: Use) -> None:
    refusal(use, tls.url(host="warehouse.example", hostaddr=HOST, sslrootcert=str(tls.ca_file)), tls.password)


def test_a_missing_file_of_the_authority_is_refused_for_good(tls: TlsServer, use: Use, tmp_path: Path) -> None:
    assert "sslrootcert" in refusal(use, tls.verified(sslrootcert=str(tmp_path / "absent.crt")), tls.password)


def test_a_server_that_demands_a_client_certificate_refuses_a_login_without_one(tls: TlsServer, use: Use) -> None:
    assert "client certificate" in refusal(use, tls.verified(login="etl_cert"))


def test_a_client_certificate_of_another_authority_is_refused_for_good(tls: TlsServer, use: Use) -> None:
    assert "client certificate" in refusal(use, tls.verified(**tls.client("other_ca")))


def test_a_client_key_that_others_may_read_is_refused_for_good(tls: TlsServer, use: Use, tmp_path: Path) -> None:
    key = tmp_path / "open.key"
    shutil.copy(tls.client()["sslkey"], key)
    key.chmod(0o644)
    assert "sslkey" in refusal(use, tls.verified(**{**tls.client(), "sslkey": str(key)}))


def test_a_client_key_of_another_certificate_is_refused_for_good(tls: TlsServer, use: Use) -> None:
    key = tls.client("other_ca")["sslkey"]
    assert "sslkey" in refusal(use, tls.verified(**{**tls.client(), "sslkey": key}))


def test_a_server_that_demands_tls_refuses_a_plain_connection(tls: TlsServer, use: Use) -> None:
    assert "encryption" in refusal(use, tls.url(sslmode="disable"), tls.password)


def test_a_server_without_tls_is_refused_for_good_where_the_url_demands_it(
    database: str, tls: TlsServer, use: Use
) -> None:
    said = refusal(use, f"{database}?sslmode=verify-full&sslrootcert={tls.ca_file}")
    assert "TLS" in said
    assert "sslmode" in said


def test_a_misspelt_sslmode_is_refused_for_good(tls: TlsServer, use: Use) -> None:
    assert "sslmode" in refusal(use, tls.url(sslmode="verify-ful"), tls.password)


def test_a_wrong_password_is_refused_for_good_with_and_without_tls(tls: TlsServer, use: Use) -> None:
    for url in (tls.verified(login="etl:wr0ng"), tls.url(login="etl:wr0ng")):
        assert "password" in refusal(use, url, "wr0ng")
