"""How a contract's names are called in Snowflake: `amount` is AMOUNT there, which nobody has to quote.

Snowflake takes an unquoted name for upper case. Names of one case therefore change it, and all others stay as they
are; doing it twice gives the name back, so that no two names of a contract meet in one.
"""

from __future__ import annotations

import re

from etl_assets.contracts import quoted
from etl_assets.io_managers.targets import Target

PLAIN = re.compile(r"[a-z_][a-z0-9_]*|[A-Z_][A-Z0-9_]*")


def stored(name: str) -> str:
    """The name in Snowflake's catalogue; of a name from there, the contract's."""
    return name.swapcase() if PLAIN.fullmatch(name) else name


def identifier(*names: str) -> str:
    """Names as a quoted SQL identifier, such as schema and table."""
    return ".".join(quoted(stored(name)) for name in names)


def sql_name(target: Target) -> str:
    """The quoted name of the target's table with its schema."""
    return identifier(target.schema, target.table.name)
