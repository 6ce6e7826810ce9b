"""What the text of a manifest states of which file, and whether a delivery is what it states.

Pure: bytes and counts in, facts or a rejection out. Where manifests lie belongs to `announcements.py`, how a number
is compared at its printed precision to `totals.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Any

import pyarrow as pa

from etl_assets.institution_spec import Amount, InstitutionSpec
from etl_assets.sources.json_values import Number, Parser
from etl_assets.sources.layout import DeliveryRejected, Layout, Reading
from etl_assets.sources.totals import Control, Tally, as_delivered, refuse_unproven
from etl_assets.spec.announcements import FACTS, HEXADECIMALS, Manifest

Facts = Mapping[str, str]


class ManifestUnreadable(Exception):  # noqa: N818  that it cannot be read is the fact
    """The manifest does not say what the spec expects of it; nothing is known of its deliveries."""


class DeliveryPartial(DeliveryRejected):
    """The manifest promises more than came."""


@dataclass(frozen=True)
class Announced:
    """What the manifest `where` states of one file; what it does not state is None, numbers are as printed."""

    where: str
    rows: str | None = None
    total: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def proves_bytes(self) -> bool:
        """Whether it can tell half a file from a whole one before that is read."""
        return (self.size_bytes, self.sha256, self.md5) != (None, None, None)

    def stated_rows(self, amount: Amount) -> int | None:
        """The number of records; None where it states none, or none that can be read."""
        number = None if self.rows is None else as_delivered(pa.array([_written(self.rows, amount)]), amount)[0].as_py()
        return None if number is None else int(number)

    def controls(self, amount: Amount) -> tuple[Control, ...]:
        """Rows and total as `totals.refuse_unproven` takes them."""
        printed = {"rows": self.rows, "total": self.total}
        return tuple(
            Control(f"the manifest {self.where}", name, _written(text, amount))
            for name, text in printed.items()
            if text is not None
        )


def stated(content: bytes, where: str, manifest: Manifest) -> dict[str, Announced]:
    """What the manifest states by file name; under the empty name where it speaks of the one file beside it.

    Raises: ManifestUnreadable, naming it, what is wrong and what would help.
    """
    try:
        text = content.decode("utf-8-sig")
        found = list(_of_json(text, manifest) if manifest.pattern is None else _of_lines(text, manifest))
        _refuse_repeated([facts.get("file", "") for facts in found])
        return {facts.get("file", ""): _announced(facts, where) for facts in found}
    except UnicodeDecodeError as error:
        raise ManifestUnreadable(f"the manifest {where} is no UTF-8; ask for it again") from error
    except ManifestUnreadable as error:
        raise ManifestUnreadable(f"the manifest {where}: {error}. Ask for it again, or correct the spec") from None


def refuse_other_bytes(announced: Announced, size_bytes: int, sha256: str, chunks: Iterable[bytes]) -> None:
    """The delivery has the size and checksums that its manifest states. `chunks` are used for an MD5 only.

    Raises: DeliveryPartial where bytes are missing; DeliveryRejected.
    """
    if announced.size_bytes is not None and size_bytes < announced.size_bytes:
        raise DeliveryPartial(_differs(announced, f"{announced.size_bytes} bytes", f"{size_bytes}"))
    if announced.size_bytes is not None and size_bytes != announced.size_bytes:
        raise DeliveryRejected(_differs(announced, f"{announced.size_bytes} bytes", f"{size_bytes}"))
    if announced.sha256 is not None and sha256 != announced.sha256:
        raise DeliveryRejected(_differs(announced, f"the SHA-256 {announced.sha256}", sha256))
    if announced.md5 is not None and (found := _md5(chunks)) != announced.md5:
        raise DeliveryRejected(_differs(announced, f"the MD5 {announced.md5}", found))


def refuse_other_rows(announced: Announced, tally: Tally) -> None:
    """The delivery has the records and the total that its manifest states, at their printed precision.

    Raises: DeliveryPartial where records are missing; DeliveryRejected.
    """
    promised = announced.stated_rows(tally.amount)
    try:
        refuse_unproven(announced.controls(tally.amount), tally)
    except DeliveryRejected as error:
        if promised is not None and tally.rows < promised:
            raise DeliveryPartial(*error.args) from None
        raise


def promises_nothing(announced: Announced | None, size_bytes: int, amount: Amount) -> bool:
    """Whether the file has no bytes because there was nothing to deliver, and its manifest says so."""
    return announced is not None and size_bytes == 0 and announced.stated_rows(amount) == 0


def no_records(spec: InstitutionSpec) -> Reading:
    """What a file without bytes gives, of which its manifest says that it holds nothing."""
    return Reading(Layout({}, {}, absent=tuple(spec.declared)).schema.empty_table(), control_lines=0)


def _of_json(text: str, manifest: Manifest) -> Iterator[Facts]:
    parser = Parser()
    try:
        whole, end = parser.value(text.strip())
    except json.JSONDecodeError as error:
        raise ManifestUnreadable(f"it is no JSON ({error})") from None
    if parser.problems or end < len(text.strip()):
        raise ManifestUnreadable("; ".join(parser.problems) or "something stands behind its JSON")
    entries = [whole] if manifest.files is None else _at(whole, manifest.files)
    if not isinstance(entries, list):
        raise ManifestUnreadable(f"expected an array at {manifest.files!r}")
    facts = FACTS if manifest.files is not None else FACTS[1:]
    places = {fact: manifest.fields.get(fact, fact) for fact in facts}
    required = manifest.required | ({"file"} if manifest.files is not None else set())
    for entry in entries:
        held = {fact: _at(entry, place) for fact, place in places.items()}
        yield _complete({fact: value for fact, value in held.items() if isinstance(value, str)}, required)


def _at(value: Any, path: str) -> Any:
    """What stands at the dotted path; None where nothing does."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _of_lines(text: str, manifest: Manifest) -> Iterator[Facts]:
    found = [match.groupdict() for line in text.splitlines() if (match := re.fullmatch(manifest.pattern or "", line))]
    held = [{fact: value for fact, value in facts.items() if value is not None} for facts in found]
    if not manifest.is_of_several:
        held = [{fact: value for facts in held for fact, value in facts.items()}]
    for facts in held:
        yield _complete(facts, manifest.required)


def _refuse_repeated(names: Sequence[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ManifestUnreadable(f"it speaks of {', '.join(repeated)} more than once")


def _complete(facts: Facts, required: Iterable[str]) -> Facts:
    if missing := sorted(set(required) - facts.keys()):
        raise ManifestUnreadable(f"it has no {' and no '.join(missing)}")
    if not facts.keys() - {"file"}:
        raise ManifestUnreadable(f"it states nothing: expected one of {', '.join(FACTS[1:])}")
    return facts


def _announced(facts: Facts, where: str) -> Announced:
    for name, digits in HEXADECIMALS.items():
        if name in facts and not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", facts[name]):
            raise ManifestUnreadable(f"its {name} {facts[name]!r} is none: expected {digits} hexadecimal digits")
    if not facts.get("size_bytes", "0").isdecimal():
        raise ManifestUnreadable(f"its size_bytes {facts['size_bytes']!r} is no number")
    return Announced(
        where=where,
        rows=facts.get("rows"),
        total=facts.get("total"),
        size_bytes=int(facts["size_bytes"]) if "size_bytes" in facts else None,
        sha256=facts["sha256"].lower() if "sha256" in facts else None,
        md5=facts["md5"].lower() if "md5" in facts else None,
    )


def _written(printed: str, amount: Amount) -> str:
    """The number as columns.amount writes it: a JSON number has a point, whatever the file's decimal mark is."""
    return printed.replace(".", amount.decimal_mark) if isinstance(printed, Number) else printed


def _differs(announced: Announced, expected: str, found: str) -> str:
    return f"the manifest {announced.where} states {expected}, and the file has {found}. Ask for a complete file"


def _md5(chunks: Iterable[bytes]) -> str:
    digest = md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
