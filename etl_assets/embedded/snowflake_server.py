"""The process of the local Snowflake: fakesnow's HTTP server over a folder of DuckDB files, with our mends.

`python -m etl_assets.embedded.snowflake_server FOLDER PORT OWNER` detaches and serves until SIGTERM, or until the
process OWNER is gone (0: nobody's). Where fakesnow differs from Snowflake is mended in `snowflake_mends.py`.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from secrets import compare_digest
from typing import Any


def main() -> None:
    """The process detaches before it imports anything: a fork of many threads would be a broken one."""
    folder, port, owner = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if os.fork():
        os._exit(0)
    (folder / "pid").write_text(str(os.getpid()))
    serve(folder, port, owner)


def serve(folder: Path, port: int, owner: int) -> None:
    """Serves until the end; committed data is then in the database files."""
    import uvicorn  # noqa: PLC0415

    from etl_assets.embedded import snowflake_mends as mends  # noqa: PLC0415

    server = mends.server
    mends.apply(stages=_emptied(folder / "stages"))
    server.shared_fs = _account(folder)
    password = json.loads((folder / "connection.json").read_bytes())["password"]
    asgi = uvicorn.Server(
        uvicorn.Config(_application(password), host="127.0.0.1", port=port, log_level="warning", access_log=False)
    )
    if owner:
        threading.Thread(target=_end_with, args=(owner, asgi), daemon=True).start()
    # uvicorn raises the signal that ended it once more; the databases are still to be closed then.
    signal.signal(signal.SIGTERM, lambda *_: None)
    asgi.run()
    server.sessions.clear()
    server.shared_fs.duck_conn.close()


def _account(folder: Path) -> Any:
    """All databases of the folder are attached; connecting creates nothing, as in Snowflake."""
    from fakesnow.instance import FakeSnow  # noqa: PLC0415

    from etl_assets.embedded.snowflake import DATABASE  # noqa: PLC0415

    databases = folder / "databases"
    databases.mkdir(exist_ok=True)
    account = FakeSnow(db_path=databases)
    account.duck_conn.execute("SET memory_limit = '4GB'")
    account.duck_conn.execute("SET temp_directory = ?", [str(_emptied(folder / "temporary"))])
    for name in sorted({DATABASE, *(file.stem for file in databases.glob("*.db"))}):
        account.connect(name, "PUBLIC").close()
    account.create_database_on_connect = account.create_schema_on_connect = False
    account.connect = _with_exact_schema(account.connect)  # type: ignore[method-assign]
    return account


def _with_exact_schema(connect: Callable[..., Any]) -> Callable[..., Any]:
    """A schema that was named in quotes at login keeps its case: stages are looked up by it."""

    def connected(database: str | None, schema: str | None, **options: Any) -> Any:
        connection = connect(database, schema, **options)
        if connection.schema_set and schema != "INFORMATION_SCHEMA":
            connection._schema = schema  # noqa: SLF001
        return connection

    return connected


def _application(password: str) -> Any:
    """The routes of fakesnow; one of them asks for the password, and no failure is an HTTP 500.

    The connector repeats a request that got a 500 for minutes, which looks like a server that hangs.
    """
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.responses import JSONResponse  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    from etl_assets.embedded.snowflake_mends import server  # noqa: PLC0415
    from etl_assets.embedded.snowflake_sessions import session_closed, session_of  # noqa: PLC0415

    async def login(request: Any) -> Any:
        body = await request.body()
        body = gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body
        said = json.loads(body)["data"]
        if "AUTHENTICATOR" not in said and not compare_digest(str(said.get("PASSWORD", "")), password):
            return _refusal("390100", "Incorrect username or password was specified.")
        granted = json.loads((await server.login_request(request)).body)
        # Without it the connector believes itself logged out and never tells the server that it leaves.
        granted["data"]["masterToken"] = token = granted["data"]["token"]
        session_of(server.sessions[token]).remember(said.get("SESSION_PARAMETERS", {}))
        return JSONResponse(granted)

    async def session(request: Any) -> Any:
        token = server.to_token(request)
        if request.query_params.get("delete") and (closed := server.sessions.get(token)):
            session_closed(closed)
        return await server.session(request)

    doors = {
        "/session/v1/login-request": login,
        "/session": session,
        "/queries/v1/query-request": _without_500(server.query_request),
    }
    return Starlette(
        routes=[Route(r.path, doors.get(r.path, r.endpoint), methods=list(r.methods or ())) for r in server.routes]
    )


def _without_500(endpoint: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    async def answered(request: Any) -> Any:
        try:
            response = await endpoint(request)
        except Exception as problem:  # noqa: BLE001  the connector must hear of every failure at once
            return _refusal("000603", f"the local Snowflake cannot do this: {type(problem).__name__}")
        return _refusal("000603", "the local Snowflake cannot do this") if response.status_code == 500 else response

    return answered


def _refusal(code: str, message: str) -> Any:
    from starlette.responses import JSONResponse  # noqa: PLC0415

    content = {"data": {"errorCode": code, "sqlState": "XX000"}, "code": code, "message": message, "success": False}
    return JSONResponse(content)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _end_with(owner: int, asgi: Any) -> None:
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415

    with suppress(psutil.NoSuchProcess):
        psutil.Process(owner).wait()
    asgi.should_exit = True


if __name__ == "__main__":
    main()
