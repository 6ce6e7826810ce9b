"""Whether found deliveries are complete, by the markers and manifests beside them, and what those state of each.

What a manifest's text means belongs to `manifests.py`; whether a file stands still over two ticks to
`deliveries/arrivals.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import Literal

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.found import Found, ListingFailed, ListingRefused, Stored
from etl_assets.sources.manifests import Announced, ManifestUnreadable, stated
from etl_assets.sources.places import place_of, stored_in
from etl_assets.spec.announcements import Manifest
from etl_assets.spec.deliveries import Deliveries

LARGEST_MANIFEST_BYTES = 16 << 20
Beside = Mapping[str, Stored]
Said = dict[str, Announced] | str
"""What a manifest states by file name, or why it cannot be read."""


@dataclass(frozen=True)
class Doubt:
    """Why a file may be half of what will be there: an unstable one is still written, a partial one promised more."""

    kind: Literal["unannounced", "unstable", "partial"]
    why: str


@dataclass(frozen=True)
class Announcements:
    """By path: why a found file may not be read yet, and what is stated of it where it may."""

    doubts: Mapping[str, Doubt]
    stated: Mapping[str, Announced]

    def refused_dates(self, found: Sequence[Found]) -> dict[str, str]:
        """The dates that may not be read, with the reason; a run reads all files of a date, so one holds up the rest.

        Their files stay out of the ledger: they were not read, and the sensor shall take them once they are complete.
        """
        reasons: dict[str, list[str]] = defaultdict(list)
        for one in found:
            if (doubt := self.doubts.get(one.relative_path)) is not None:
                reasons[one.business_date.isoformat()].append(f"{one.relative_path}: {doubt.why}")
        return {day: "; ".join(why) + ". Wait for it, or ask the institution" for day, why in reasons.items()}


def files_beside(spec: InstitutionSpec) -> Beside:
    """Every file of the place by path, if the institution announces its deliveries; otherwise nothing is listed.

    To be called before the deliveries are listed: the marker that is there then came after the file found later.

    Raises: ListingFailed, ListingRefused.
    """
    return {stored.relative_path: stored for stored in stored_in(spec)} if spec.deliveries.announces else {}


def announcements(
    spec: InstitutionSpec, found: Sequence[Found], there: Beside, now: datetime, days: Collection[date] | None = None
) -> Announcements:
    """What is known of the found files of `days`, or of all; `found` is the whole listing, so that no file is missed.

    Raises: ListingFailed where a manifest cannot be read now; ListingRefused where one counts as a delivery itself.
    """
    settings = spec.deliveries
    _refuse_twofold(settings, found)
    wanted = [one for one in found if days is None or one.business_date in days]
    said = _said(spec, settings.manifest, wanted, there)
    paths = {one.relative_path for one in found}
    doubts = {}
    for one in wanted:
        if doubt := next(chain(_doubts(one, settings, there, said, paths), _unsettled(one, settings, now)), None):
            doubts[one.relative_path] = doubt
    entries = {one.relative_path: _entry(one, settings, said) for one in wanted}
    return Announcements(doubts, {path: entry for path, entry in entries.items() if entry is not None})


def _doubts(
    one: Found, settings: Deliveries, there: Beside, said: Mapping[str, Said], paths: Collection[str]
) -> Iterator[Doubt]:
    if settings.marker is not None:
        yield from _missing(one, settings.beside(settings.marker, one.relative_path), there, "marker")
    if settings.manifest is None:
        return
    path = settings.beside(settings.manifest.name, one.relative_path)
    entry = _entry(one, settings, said)
    if path not in there or entry is None or not entry.proves_bytes:
        yield from _missing(one, path, there, "manifest")
    if isinstance(held := said.get(path, {}), str):
        yield Doubt("unannounced", held)
    elif entry is None:
        yield Doubt("unannounced", f"the manifest {path} does not speak of it")
    elif one.size_bytes < (entry.size_bytes or 0):
        yield Doubt("partial", f"{one.size_bytes} of the {entry.size_bytes} bytes that the manifest {path} states")
    elif absent := [name for name in held if name and _sibling(one, name) not in paths]:
        yield Doubt("partial", f"the manifest {path} also speaks of {', '.join(absent)}, which is not there")


def _missing(one: Found, path: str, there: Beside, what: str) -> Iterator[Doubt]:
    """A marker that is older than its file announced the version before."""
    if path not in there:
        yield Doubt("unannounced", f"its {what} {path} is not there")
    elif there[path].delivered_at < one.delivered_at:
        yield Doubt("unannounced", f"its {what} {path} is older than the file")


def _unsettled(one: Found, settings: Deliveries, now: datetime) -> Iterator[Doubt]:
    """Without `settle_s` clocks are not compared: a bank whose clock is hours ahead would wait for ours each time."""
    age_s = (now - one.delivered_at).total_seconds()
    if 0 < settings.settle_s > age_s:
        when = f"{age_s:.0f} s ago" if age_s >= 0 else f"{-age_s:.0f} s ahead of this machine's clock"
        yield Doubt("unstable", f"it was written {when}, and deliveries.settle_s is {settings.settle_s}")


def _entry(one: Found, settings: Deliveries, said: Mapping[str, Said]) -> Announced | None:
    if settings.manifest is None:
        return None
    held = said.get(settings.beside(settings.manifest.name, one.relative_path), {})
    name = one.name if settings.manifest.is_of_several else ""
    return None if isinstance(held, str) else held.get(name)


def _sibling(one: Found, name: str) -> str:
    folder, slash, _ = one.relative_path.rpartition("/")
    return folder + slash + name


def _said(
    spec: InstitutionSpec, manifest: Manifest | None, found: Sequence[Found], there: Beside
) -> Mapping[str, Said]:
    """Every manifest of the found files that is there, each read once."""
    if manifest is None:
        return {}
    paths = {spec.deliveries.beside(manifest.name, one.relative_path) for one in found}
    held = [there[path] for path in sorted(paths) if path in there]
    with ThreadPoolExecutor(place_of(spec).concurrency) as pool:
        read = pool.map(lambda one: _read(spec, manifest, one), held)
        return {one.relative_path: said for one, said in zip(held, read, strict=True)}


def _read(spec: InstitutionSpec, manifest: Manifest, one: Stored) -> Said:
    if one.size_bytes > LARGEST_MANIFEST_BYTES:
        return f"the manifest {one.relative_path} has {one.size_bytes} bytes; expected {LARGEST_MANIFEST_BYTES} at most"
    try:
        return stated(place_of(spec).content(one), one.relative_path, manifest)
    except ManifestUnreadable as error:
        return str(error)
    except OSError as error:
        raise ListingFailed(f"{one.relative_path}: listed but not readable ({error}); make it readable") from error


def _refuse_twofold(settings: Deliveries, found: Sequence[Found]) -> None:
    templates = [name for name in (settings.marker, settings.manifest and settings.manifest.name) if name]
    paths = {one.relative_path for one in found}
    announcing = (settings.beside(name, one.relative_path) for name in templates for one in found)
    if twofold := next((path for path in announcing if path in paths), None):
        raise ListingRefused(
            f"{twofold} is a delivery by deliveries.file_name and announces one as marker or manifest; "
            "end the pattern of file_name so that it does not match it"
        )
