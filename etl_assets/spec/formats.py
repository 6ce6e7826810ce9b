"""Settings of single file formats and of archives: fields of a spec's deliveries.

Reading the files belongs to `sources/`.
"""

from __future__ import annotations

from pydantic import Field

from etl_assets.spec.columns import Strict, Title
from etl_assets.spec.lines import LinePattern
from etl_assets.spec.source import Whole


class Excel(Strict):
    """The one sheet of a workbook that is read; others may hold what is not for us, and nobody opens them.

    In a workbook without a sheet of that name it is the only one whose name `sheet_matches` matches.
    The header is row `header_row`, counted from 1, or the first row that is not empty.
    """

    sheet: Title
    """Name of the one sheet that is read."""
    sheet_matches: LinePattern | None = None
    """Regular expression of the whole names that the sheet has in other files, such as `[A-Z]{3} \\d{4}`."""
    header_row: Whole | None = Field(default=None, ge=1)
    """Row of the titles, counted from 1. By default the first row that is not empty."""


class Archives(Strict):
    """Files named `.gz`, `.zip` or `.zst` are expanded, to `max_expanded_mb` at most: a bomb must not end the process.

    `zip_member` matches the name of the member to read as a whole, where a zip archive holds several.
    """

    zip_member: LinePattern | None = None
    """Regular expression of the member to read, where a zip archive has several; it matches the whole name."""
    max_expanded_mb: Whole = Field(default=2_048, gt=0)
    """MiB that a file may have when it is expanded; a larger one is refused."""

    @property
    def max_expanded_bytes(self) -> int:
        return self.max_expanded_mb << 20
