"""What says that a delivery is complete: markers and manifests beside it, as fields of a spec's deliveries.

Finding and reading them belongs to `sources/announcements.py`, what a manifest's text means to `sources/manifests.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from etl_assets.spec.columns import Strict, Title
from etl_assets.spec.lines import LinePattern
from etl_assets.spec.source import text

Fact = Literal["file", "rows", "total", "size_bytes", "sha256", "md5"]
FACTS: tuple[Fact, ...] = ("file", "rows", "total", "size_bytes", "sha256", "md5")
OF_A_NAME = frozenset({"name", "stem"})
HEXADECIMALS = {"sha256": 64, "md5": 32}


def _names_a_file_beside(value: str) -> str:
    try:
        parts = list(Formatter().parse(value))
    except ValueError as error:
        raise ValueError(f"expected a name as in '{{name}}.done': {error}") from error
    if not any(name is not None for _, name, _, _ in parts):
        raise ValueError("expected a part of the delivery's name, as in '{name}.done'; one file would announce all")
    if any(conversion or form for _, _, form, conversion in parts):
        raise ValueError("expected names in braces and nothing else in them, as in '{name}.done'")
    if value.startswith("/") or ".." in value.split("/"):
        raise ValueError("expected a name in the folder of the delivery or below it")
    return value


NameBeside = Annotated[Title, AfterValidator(_names_a_file_beside), text(r"^(?!/).*\{[^{}]+\}")]


class Manifest(Strict):
    """A file that states what a delivery holds: a JSON object, or lines of text that match `pattern` as a whole.

    `fields` says where in the object each fact stands, such as `rows: control.count`; without it, under its own name.
    `files` is the path to an array with one object per file. A pattern has the facts as named groups; with a group
    `file` each line speaks of the file that it names.
    """

    name: NameBeside
    """Its name beside the delivery, such as `{stem}.json`, with `{name}`, `{stem}` or a group of `file_name`."""
    pattern: LinePattern | None = None
    """For a manifest of text: regular expression of its lines as a whole, such as `COUNT=(?P<rows>[0-9]+)`."""
    files: Title | None = None
    """Path to the array with one object per file, such as `control.files`, where one manifest speaks of several."""
    fields: dict[Fact, Title] = Field(default_factory=dict)
    """Fact -> where it stands in the JSON, such as `rows: control.count`. Without it, each under its own name."""

    @model_validator(mode="after")
    def says_what_it_states(self) -> Manifest:
        if self.pattern is None:
            return self
        if self.files is not None or self.fields:
            raise ValueError("`files` and `fields` are places in JSON, and `pattern` reads text; expected one of them")
        groups = re.compile(self.pattern).groupindex
        if unknown := sorted(set(groups) - set(FACTS)):
            raise ValueError(f"expected no named groups but {', '.join(FACTS)}, and not {unknown}")
        if not set(groups) - {"file"}:
            raise ValueError(f"expected a named group that states something: {', '.join(FACTS[1:])}")
        return self

    @model_validator(mode="after")
    def tells_the_files_apart(self) -> Manifest:
        if "file" in self.fields and self.files is None:
            raise ValueError("fields.file names the file of each object in the array `files`; expected that path too")
        return self

    @property
    def required(self) -> frozenset[str]:
        """The facts that the spec names: each must be stated of every file."""
        return frozenset(self.fields if self.pattern is None else re.compile(self.pattern).groupindex)

    @property
    def is_of_several(self) -> bool:
        """Whether it names the files that it speaks of."""
        return self.files is not None or (self.pattern is not None and "file" in self.required)


def beside(template: str, path: str, groups: Mapping[str, str | None]) -> str:
    """The path of the file that `template` names beside the delivery at `path`; `groups` are those of its name."""
    folder, slash, name = path.rpartition("/")
    values = {"name": name, "stem": name.rpartition(".")[0] or name}
    return folder + slash + template.format_map(values | {group: text or "" for group, text in groups.items()})


def unknown_parts(template: str, groups: Collection[str]) -> str | None:
    """What is wrong with the template, if a part in braces is none of a delivery's name."""
    parts = Formatter().parse(template)
    unknown = sorted({name for _, name, _, _ in parts if name is not None} - OF_A_NAME - set(groups))
    known = f"expected {', '.join(sorted(OF_A_NAME))} or a group of file_name: {', '.join(groups)}"
    return f"it asks for {unknown}; {known}" if unknown else None
