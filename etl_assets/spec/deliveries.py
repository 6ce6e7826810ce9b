"""Where a tenant's files are, what their names say and how their text is written: the delivery half of a spec.

Opening folders and files belongs to `sources/`.
"""

from __future__ import annotations

import os
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Literal

from pydantic import Field, field_validator, model_validator

from etl_assets.spec.announcements import Manifest, NameBeside, beside, refuse_unknown_parts
from etl_assets.spec.columns import Pattern, Strict, Title
from etl_assets.spec.file import SpecRefused
from etl_assets.spec.file_names import DAY, group_alone, last_day, refuse_undated
from etl_assets.spec.formats import Archives, Excel
from etl_assets.spec.lines import Encoding, FixedWidth, Framed


class FolderUnset(SpecRefused):
    """The delivery folder depends on an environment variable that is not set."""


class Csv(Framed):
    """The dialect of the institution's text files."""

    separator: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    encoding: Encoding = "utf-8"
    max_field_bytes: int = Field(default=65_536, gt=0)

    @field_validator("separator", "quote")
    @classmethod
    def can_stand_between_fields(cls, value: str) -> str:
        if not value.isascii() or value in "\r\n\0":
            raise ValueError("expected one ASCII character that is no line end")
        return value

    @model_validator(mode="after")
    def characters_differ(self) -> Csv:
        if self.separator == self.quote:
            raise ValueError(f"separator and quote are both {self.quote!r}; expected two characters")
        return self


class Deliveries(Strict):
    """Where the files are and how a file name says which business date it is for."""

    folder: Title
    file_name: str
    business_date_format: Pattern = "%Y%m%d"
    format: Literal["csv", "parquet", "fixed_width", "jsonl", "json", "excel"] = "csv"
    csv: Csv = Csv()
    fixed_width: FixedWidth | None = None
    json_records: Title | None = None
    excel: Excel | None = None
    archives: Archives = Archives()
    marker: NameBeside | None = None
    manifest: Manifest | None = None
    settle_s: int = Field(default=0, ge=0)
    late_after_days: int = Field(default=1, ge=0)

    @field_validator("folder")
    @classmethod
    def has_readable_variables(cls, value: str) -> str:
        if not Template(value).is_valid():
            raise ValueError("expected environment variables as in ${ETL_DELIVERIES}/bank, and $$ for a dollar sign")
        return value

    @field_validator("file_name")
    @classmethod
    def names_the_business_date(cls, value: str) -> str:
        try:
            refuse_undated(value)
        except re.error as error:
            raise ValueError(f"expected a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def reads_the_date_that_it_names(self) -> Deliveries:
        if not self._names_a_day and "business_date_format" in self.model_fields_set:
            raise ValueError("business_date_format says how a group business_date is written; file_name has none")
        return self

    @model_validator(mode="after")
    def has_settings_of_its_format_only(self) -> Deliveries:
        if (self.format == "fixed_width") != (self.fixed_width is not None):
            raise ValueError("expected `format: fixed_width` together with `fixed_width` and its columns, or neither")
        if self.format != "csv" and self.csv != Csv():
            raise ValueError(f"`csv` says nothing of format {self.format}; a footer or dialect there would not be read")
        return self

    @model_validator(mode="after")
    def knows_its_sheet(self) -> Deliveries:
        if (self.format == "excel") != (self.excel is not None):
            raise ValueError("expected `format: excel` together with `excel: {sheet: NAME}`, or neither")
        return self

    @model_validator(mode="after")
    def names_records_of_a_document(self) -> Deliveries:
        if self.json_records is not None and self.format != "json":
            raise ValueError("json_records is the path to the array in a document; expected it with `format: json`")
        return self

    @model_validator(mode="after")
    def names_announcements_by_parts_of_the_name(self) -> Deliveries:
        for template in (self.marker, self.manifest.name if self.manifest else None):
            refuse_unknown_parts(template, re.compile(self.file_name).groupindex)
        return self

    @property
    def announces(self) -> bool:
        """Whether a file says that a delivery is complete; otherwise that it stands still must do."""
        return self.marker is not None or self.manifest is not None

    def beside(self, template: str, path: str) -> str:
        """The path of the marker or manifest of the delivery at `path`."""
        found = re.fullmatch(self.file_name, path.rpartition("/")[2])
        return beside(template, path, found.groupdict() if found else {})

    @property
    def path(self) -> Path:
        """The local folder. Raises: FolderUnset; SpecRefused where the deliveries are in S3."""
        if self.address.startswith("s3://"):
            raise SpecRefused(f"deliveries.folder is {self.folder!r}, in S3; expected a local folder here")
        return Path(self.address)

    @property
    def address(self) -> str:
        """The local folder or `s3://bucket/prefix`, with environment variables resolved.

        When it is used, not when the spec is loaded: definitions load on machines that never see a delivery. An
        unset variable left as text would be a folder of its own, and an empty one a folder at the root.

        Raises: FolderUnset, naming the variables.
        """
        folder = Template(self.folder)
        if unset := [name for name in folder.get_identifiers() if not os.environ.get(name)]:
            raise FolderUnset(
                f"deliveries.folder is {self.folder!r} and {', '.join(unset)} is not set in the environment; "
                "set it to the folder of the deliveries, or write the folder into the spec"
            )
        return folder.substitute(os.environ)

    def business_date(self, file_name: str) -> date | None:
        """The date in `file_name`, or None where the name is not one of this institution's deliveries."""
        found = re.fullmatch(self.file_name, file_name)
        if found is None:
            return None
        return self._day(found[DAY]) if self._names_a_day else last_day(found.groupdict())

    def can_name_a_day_of_the_year_from(self, first: date) -> bool:
        """Whether the group in `file_name` fits what `business_date_format` writes, as far as that can be told.

        Where it does not, every file is passed over and the bank seems to deliver nothing.
        """
        group = group_alone(self.file_name, DAY) if self._names_a_day else None
        days = (first + timedelta(days=n) for n in range(366))
        return group is None or any(group.fullmatch(day.strftime(self.business_date_format)) for day in days)

    @property
    def _names_a_day(self) -> bool:
        """Rather than a period, whose business date is its last day."""
        return DAY in re.compile(self.file_name).groupindex

    def _day(self, text: str) -> date | None:
        try:
            return datetime.strptime(text, self.business_date_format).date()  # noqa: DTZ007
        except ValueError:
            return None
