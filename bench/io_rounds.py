"""Time ways of doing the same thing in turns, and show their medians beside each other.

Knows no database: what is done, what stands before it and what must hold afterwards are the callers'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Way:
    """One way to do it: `work` is timed, `before` and `after` are not."""

    name: str
    rows: int
    work: Callable[[], object]
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Timed:
    """The seconds of each way, round by round."""

    title: str
    rows: Mapping[str, int]
    seconds: Mapping[str, list[float]] = field(repr=False)

    def rate(self, name: str) -> float:
        """Rows per second in the median round."""
        return self.rows[name] / median(self.seconds[name])

    def fastest(self, prefix: str) -> str | None:
        """The fastest way whose name begins so."""
        return max((name for name in self.seconds if name.startswith(prefix)), key=self.rate, default=None)

    def show(self, first: str) -> None:
        """The table of all ways, with how much faster `first` is; the best rounds are those that nobody disturbed."""
        heads = ("way", "rows", "median s", "min - max s", "rows/s", f"{first} / way", "best / best")
        table = Table(heads[0], title=self.title)
        for head in heads[1:]:
            table.add_column(head, justify="right")
        for name, seconds in self.seconds.items():
            span = f"{min(seconds):.2f} - {max(seconds):.2f}"
            ratio = self.rate(first) / self.rate(name)
            best = min(seconds) / self.rows[name] * self.rows[first] / min(self.seconds[first])
            figures = (f"{median(seconds):.2f}", span, f"{self.rate(name):,.0f}", f"{ratio:.2f}", f"{best:.2f}")
            table.add_row(name, f"{self.rows[name]:,}", *figures)
        Console(width=120).print(table)


def in_turns(title: str, ways: Sequence[Way], rounds: int) -> Timed:
    """Every way was done once per round, so that a slow minute hits all; each round begins with another."""
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    for turn in range(rounds):
        first = turn % len(ways)
        for way in (*ways[first:], *ways[:first]):
            way.before()
            began = perf_counter()
            way.work()
            seconds[way.name].append(perf_counter() - began)
            way.after()
    return Timed(title, {way.name: way.rows for way in ways}, seconds)
