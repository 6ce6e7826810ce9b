"""Write the handbook's transactions into the local Snowflake with our warehouse and with `write_pandas`.

    python bench/snowflake.py [--rows N] [--rounds 3] [--data DIR] [--json PATH]

What is measured, and how, stands in `snowflake_rates.py`.
"""

from __future__ import annotations

from pkgutil import extend_path

# Beside other scripts this file hides the package of the same name: through here its parts are found.
__path__ = extend_path([], "snowflake")

if __name__ == "__main__":
    from snowflake_rates import main

    main()
