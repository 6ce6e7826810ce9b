"""Where a tenant's files are, what their names say and how their text is written: the delivery half of a spec.

Opening folders and files belongs to `sources/`.
"""

from __future__ import annotations

import os
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, field_validator, model_validator

from etl_assets.spec.announcements import Manifest, NameBeside, beside, unknown_parts
from etl_assets.spec.columns import Pattern, Strict, Title
from etl_assets.spec.file import Place, SpecRefused
from etl_assets.spec.file_names import DAY, group_alone, last_day, refuse_undated
from etl_assets.spec.formats import Archives, Excel
from etl_assets.spec.lines import Encoding, FixedWidth, Framed
from etl_assets.spec.mistakes import refused
from etl_assets.spec.source import Whole, text


class FolderUnset(SpecRefused):
    """The delivery folder depends on an environment variable that is not set."""


Between = Annotated[str, text(r"^[\x01-\x09\x0b\x0c\x0e-\x7f]$")]
Folder = Annotated[Title, text(r"^([^$]|\$\$|\$[A-Za-z_]\w*|\$\{[A-Za-z_]\w*\})+$")]
FileName = Annotated[str, text(r"\(\?P<(business_date|year)>")]


def _settings_of(format_: str, field: str, *, required: bool) -> dict[str, JsonValue]:
    """The field is given with its format, where it must be, and never with another."""
    is_it: JsonValue = {"required": ["format"], "properties": {"format": {"const": format_}}}
    given: JsonValue = {"required": [field], "properties": {field: {"not": {"type": "null"}}}}
    return {"if": is_it, "then": given if required else {}, "else": {"not": given}}


class Csv(Framed):
    """The dialect of the institution's text files."""

    separator: Between = Field(default=",", min_length=1, max_length=1)
    """The character between two fields: one ASCII character, such as `;`."""
    quote: Between | None = Field(default='"', min_length=1, max_length=1)
    """The character round a field that holds a separator or a line end; `null` where it is text as any other."""
    escape: Between | None = Field(default=None, min_length=1, max_length=1)
    """The character before a quote inside quotes, where that is not doubled: `\\` in MySQL's exports."""
    encoding: Encoding = "utf-8"
    """Text encoding by its Python name, such as `utf-8` or `cp1252`."""
    max_field_bytes: Whole = Field(default=65_536, gt=0)
    """A record with a longer field is damaged. Without a limit, one open quote would take the rest of the file."""

    @field_validator("separator", "quote", "escape")
    @classmethod
    def can_stand_between_fields(cls, value: str | None) -> str | None:
        if value is not None and (not value.isascii() or value in "\r\n\0"):
            raise ValueError("expected one ASCII character that is no line end")
        return value

    @model_validator(mode="after")
    def characters_differ(self) -> Csv:
        if self.separator == self.quote:
            raise ValueError(f"separator and quote are both {self.quote!r}; expected two characters")
        if self.escape is not None and self.escape in {self.separator, self.quote}:
            raise ValueError(f"escape is {self.escape!r}, as separator or quote is; a doubled quote needs no escape")
        if self.escape is not None and self.quote is None:
            raise ValueError("escape stands before a quote inside quotes; expected a quote beside it")
        return self


class Deliveries(Strict):
    """Where the files are and how a file name says which business date it is for."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                _settings_of("excel", "excel", required=True),
                _settings_of("fixed_width", "fixed_width", required=True),
                _settings_of("json", "json_records", required=False),
            ]
        }
    )

    folder: Folder
    """A local folder or `s3://bucket/prefix`, with environment variables as in `${ETL_DELIVERIES}/my_bank`."""
    file_name: FileName
    """Regular expression of the whole name, with a group `(?P<business_date>...)` or groups `year`, `month` ..."""
    business_date_format: Pattern = "%Y%m%d"
    """strptime pattern of what the group `business_date` takes: `%Y%m%d` for 20260302."""
    format: Literal["csv", "parquet", "fixed_width", "jsonl", "json", "excel"] = "csv"
    """What kind of file it is. Each may also come as .gz, .zst or .zip."""
    csv: Csv = Csv()
    """The dialect of `format: csv`."""
    fixed_width: FixedWidth | None = None
    """The fields of `format: fixed_width`, and only of that."""
    json_records: Title | None = None
    """Path to the array of records in `format: json`, such as `data.items`. By default the document is the array."""
    excel: Excel | None = None
    """The sheet of `format: excel`, and only of that."""
    archives: Archives = Archives()
    """What is read of a compressed file, and how large it may become."""
    marker: NameBeside | None = None
    """A file beside a complete delivery, such as `{name}.done`. Without it the delivery is not read."""
    manifest: Manifest | None = None
    """A file that states how many rows, what total or which checksum a complete delivery has."""
    settle_s: Whole = Field(default=0, ge=0)
    """Seconds that must have passed since a file was last written; until then it is not read."""
    late_after_days: Whole = Field(default=1, ge=0)
    """Days after the end of its business date from which a delivery counts as late."""

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
        templates: dict[Place, str | None] = {("marker",): self.marker}
        templates[("manifest", "name")] = self.manifest.name if self.manifest else None
        groups = re.compile(self.file_name).groupindex
        doubts = ((at, unknown_parts(template, groups), template) for at, template in templates.items() if template)
        refused(type(self).__name__, ((at, why, template) for at, why, template in doubts if why))
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
