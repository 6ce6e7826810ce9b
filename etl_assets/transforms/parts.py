"""What features are made of: each part sweeps the history once, when the first of its values is asked for.

A feature that nobody asks for costs nothing. The compiled passes belong to `windows.py`, `habits.py`, `labels.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa

from etl_assets.feature_groups import ENTITIES, LABEL_WINDOWS, LONGEST, WINDOWS, Need
from etl_assets.transforms import habits, windows
from etl_assets.transforms.clock import CALENDAR, DAY_S, calendar, hour_of, local_seconds, weekday_of
from etl_assets.transforms.history import UNITS, AmountsTooLarge, History
from etl_assets.transforms.labels import Known, no_labels
from etl_assets.transforms.prompt_windows import prompt
from etl_assets.transforms.window_groups import Floats, turned


class Part(Protocol):
    """Values of the result's rows, a stretch of them at a time."""

    @property
    def names(self) -> Sequence[str]: ...

    def values(self, rows: slice) -> Mapping[str, Floats]: ...


@dataclass(frozen=True)
class Amounts:
    """What each row itself spends."""

    history: History
    names: Sequence[str] = ("spend",)

    def values(self, rows: slice) -> Mapping[str, Floats]:
        return {"spend": self.history.spend[self.history.asked[rows]] / UNITS}


@dataclass(frozen=True)
class Windows:
    """Moments of each window of one kind of entity."""

    history: History
    entity: Need

    @property
    def names(self) -> Sequence[str]:
        statistics = [f"{statistic}_{window.name}" for window in WINDOWS for statistic in windows.STATISTICS]
        return [f"{self.entity}_{name}" for name in ("since_last", *statistics)]

    def values(self, rows: slice) -> Mapping[str, Floats]:
        at = self.history.groups(f"{self.entity}_id").at[rows]
        return dict(zip(self.names, turned(self._cells, at), strict=True))

    @cached_property
    def _cells(self) -> Floats:
        """Raises: AmountsTooLarge."""
        rows, order, starts, _ = self.history.groups(f"{self.entity}_id")
        cells = np.empty((len(self.history.asked), 1 + len(WINDOWS) * len(windows.STATISTICS)))
        widths = np.array([window.seconds for window in WINDOWS])
        is_left = prompt(rows, starts, widths, float(UNITS), cells)
        refused = windows.trailing(rows, windows.Groups(starts, is_left), widths, float(UNITS), cells)
        if refused >= 0:
            currency = self.history.rows["currency"][int(order[starts[refused]])]
            raise AmountsTooLarge(
                f"the amounts of one {self.entity}_id in {currency} are too large to be summed exactly; "
                "is their scale right?"
            )
        return cells


@dataclass(frozen=True)
class Habits:
    """What each account is used to: amounts, hours, weekdays and counterparties of its 30 days."""

    history: History
    time_zone: str
    names: Sequence[str] = habits.CELLS

    def values(self, rows: slice) -> Mapping[str, Floats]:
        at = self.history.groups("account_id").at[rows]
        return dict(zip(self.names, turned(self._cells, at), strict=True))

    @cached_property
    def _cells(self) -> Floats:
        rows, order, starts, _ = self.history.groups("account_id")
        cells = np.empty((len(self.history.asked), len(habits.CELLS)))
        local = local_seconds(rows.second, self.time_zone)
        past = habits.Past(*rows, hour_of(local), weekday_of(local), self.history.codes("counterparty_id")[order])
        habits.habits(past, starts, np.array([LONGEST.seconds, DAY_S]), float(UNITS), cells)
        return cells


@dataclass(frozen=True)
class Labels:
    """Frauds of one kind of entity that were known, and their share of all labels that were."""

    history: History
    entity: Need
    labels: pa.Table

    @property
    def names(self) -> Sequence[str]:
        counts = ("labels", "frauds", "unexplained_frauds")
        return [f"{self.entity}_{name}_{window.name}" for window in LABEL_WINDOWS for name in counts]

    def values(self, rows: slice) -> Mapping[str, Floats]:
        asked, widths = self.history.asked[rows], [window.seconds for window in LABEL_WINDOWS]
        entities = self.history.part(rows)[f"{self.entity}_id"]
        return dict(zip(self.names, self._known.before(entities, self.history.second[asked], widths), strict=True))

    @cached_property
    def _known(self) -> Known:
        return Known.of(self.labels, f"{self.entity}_id")


@dataclass(frozen=True)
class Calendar:
    """Terms of the institution's own calendar."""

    history: History
    time_zone: str
    names: Sequence[str] = CALENDAR

    def values(self, rows: slice) -> Mapping[str, Floats]:
        return calendar(local_seconds(self.history.second[self.history.asked[rows]], self.time_zone))


def parts_of(history: History, time_zone: str, labels: pa.Table | None) -> dict[str, Part]:
    """The part that gives each value, by name."""
    known = no_labels() if labels is None else labels
    parts: list[Part] = [Amounts(history), Habits(history, time_zone), Calendar(history, time_zone)]
    for entity in ENTITIES:
        parts += [Windows(history, entity), Labels(history, entity, known)]
    return {name: part for part in parts for name in part.names}
