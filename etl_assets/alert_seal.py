"""The alerts of an institution can be added to and not changed, by nobody: the database itself refuses."""

from __future__ import annotations

from etl_assets.io_managers.postgres.connections import Connection
from etl_assets.io_managers.postgres.schema import create, qualified, sql_name
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Target

UNCHANGEABLE = "alerts_never_change"


def sealed(warehouse: PostgresWarehouse, target: Target) -> None:
    """The table is there and takes new rows only: an alert is what people were told.

    Made before the first row: between a table and its seal, somebody could tidy up. Its owner can drop both, and
    does so in the open.
    """

    def make(connection: Connection) -> None:
        if create(connection, target, WHOLE):
            _seal(connection, target)

    warehouse.connections.run(make)


def _seal(connection: Connection, target: Target) -> None:
    function = qualified(target.schema, UNCHANGEABLE)
    connection.execute(
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'an alert is never changed: it is what people were told' USING ERRCODE = '42501'; END $$"
    )
    connection.execute(
        f"CREATE TRIGGER {UNCHANGEABLE} BEFORE UPDATE OR DELETE OR TRUNCATE ON {sql_name(target)} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )
