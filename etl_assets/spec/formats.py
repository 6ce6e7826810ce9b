"""Settings of single file formats and of archives: fields of a spec's deliveries.

Reading the files belongs to `sources/`.
"""

from __future__ import annotations

from pydantic import Field

from etl_assets.spec.columns import Strict, Title
from etl_assets.spec.lines import LinePattern


class Excel(Strict):
    """The one sheet of a workbook that is read; others may hold what is not for us, and nobody opens them.

    The header is row `header_row`, counted from 1, or the first row that is not empty.
    """

    sheet: Title
    header_row: int | None = Field(default=None, ge=1)


class Archives(Strict):
    """Files named `.gz`, `.zip` or `.zst` are expanded, to `max_expanded_mb` at most: a bomb must not end the process.

    `zip_member` matches the name of the member to read as a whole, where a zip archive holds several.
    """

    zip_member: LinePattern | None = None
    max_expanded_mb: int = Field(default=2_048, gt=0)

    @property
    def max_expanded_bytes(self) -> int:
        return self.max_expanded_mb << 20
