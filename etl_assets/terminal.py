"""The terminal, as a place where names and values from other people's files are shown and obey nobody.

How a table or a message looks belongs to `commands/`.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

TURNS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
ODD = "\N{REPLACEMENT CHARACTER}"


def _gives_orders(character: str) -> bool:
    """Whether a terminal acts on it, and does not only show it; ends of lines and tabs may."""
    is_control = unicodedata.category(character) == "Cc" and character not in "\n\t"
    return is_control or unicodedata.bidirectional(character) in TURNS


VISIBLE = {point: ODD for point in range(0x2100) if _gives_orders(chr(point))}


class Terminal(Console):
    """A console that shows control characters and marks of direction as one odd character each.

    An escape sequence in the name of a file would else clear the screen of who looks at the ledger, or write its
    title. Here and not where texts are put together, so that none can be forgotten.
    """

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else text.translate(VISIBLE), style, control)


def terminal(width: int, *, highlight: bool = False) -> Terminal:
    """As wide as the window, or as `width` where what is said goes into a file."""
    return Terminal(width=None if sys.stdout.isatty() else width, highlight=highlight)


def fault(message: str) -> None:
    """The message stands on stderr as it is: brackets in it are no styles."""
    Terminal(stderr=True).print(message, style="red", soft_wrap=True, markup=False, highlight=False)
