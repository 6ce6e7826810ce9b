"""The recorder of statements finds the DDL that would have committed a transaction half-way."""

from __future__ import annotations

from snowflake.connector import SnowflakeConnection

from etl_assets.embedded.snowflake import Server
from etl_assets_tests.snowflake_server import ask, connected
from etl_assets_tests.statements import Statements, recorded


def test_ddl_inside_a_transaction_is_found(snowflake_session: SnowflakeConnection) -> None:
    with recorded() as heard:
        ask(snowflake_session, "CREATE TABLE before (n INT)", "BEGIN", "INSERT INTO before VALUES (1)")
        ask(snowflake_session, "/* late */ create table during (n int)", "ALTER SESSION SET QUERY_TAG = 'x'", "COMMIT")
        ask(snowflake_session, "CREATE TABLE after (n INT)")
    assert [said.text for said in heard.ddl_inside_transactions()] == ["/* late */ create table during (n int)"]


def test_ddl_after_a_change_without_autocommit_is_found(snowflake_server: Server, snowflake_schema: str) -> None:
    with (
        connected(snowflake_server, schema=f'"{snowflake_schema}"', autocommit=False) as snowflake_session,
        recorded() as heard,
    ):
        ask(snowflake_session, "CREATE TABLE paid (n INT)", "INSERT INTO paid VALUES (1)", "DROP TABLE paid")
    assert [said.words[0] for said in heard.ddl_inside_transactions()] == ["DROP"]


def test_sessions_are_told_apart(
    snowflake_session: SnowflakeConnection, second_session: SnowflakeConnection, statements: Statements
) -> None:
    ask(snowflake_session, "BEGIN")
    ask(second_session, "CREATE TABLE elsewhere (n INT)")
    ask(snowflake_session, "COMMIT")
    assert [said.session for said in statements.of("CREATE")] == [2]
