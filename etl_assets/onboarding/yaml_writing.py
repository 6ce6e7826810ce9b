"""A draft as the text of a YAML file: each guess in its place, its reason and its question as comments above it.

Text only: what stands in it belongs to `first_yaml.py`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from etl_assets.onboarding.draft import Draft, Guess

WIDTH = 110
APART = frozenset({"deliveries", "columns", "key", "event_precision", "personal_data", "labels", "pass_through"})
Tree = dict[str, Any]


def yaml_text(draft: Draft, heading: str) -> str:
    """The file, `heading` first."""
    lines = [heading]
    for name, branch in _tree(draft).items():
        lines += [""] if name in APART else []
        lines += _lines(name, branch, 0)
        lines += [line for note in draft.notes.get(name, []) for line in _comment(note, 1 if _is_branch(branch) else 0)]
    return "\n".join(lines) + "\n"


def in_one_line(value: Any) -> str:
    """The value as YAML between braces, brackets or quotes."""
    if isinstance(value, dict):
        inner = ", ".join(f"{in_one_line(key)}: {in_one_line(held)}" for key, held in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(in_one_line, value))}]"
    inside_a_list: str = yaml.safe_dump([value], allow_unicode=True, width=float("inf"), default_flow_style=True)
    return inside_a_list.strip()[1:-1]


def _tree(draft: Draft) -> Tree:
    """The guesses at the ends of branches, in the order in which they were made."""
    whole: Tree = {}
    for guess in draft.guesses:
        inner = whole
        for part in guess.place[:-1]:
            inner = inner.setdefault(part, {})
        inner[guess.place[-1]] = guess
    return whole


def _lines(name: str, branch: Tree | Guess, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(branch, Guess):
        yield from _leaf(name, branch, depth)
        return
    yield f"{indent}{name}:"
    for inner, value in branch.items():
        yield from _lines(inner, value, depth + 1)


def _leaf(name: str, guess: Guess, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if guess.why:
        yield from _comment(guess.why, depth)
    if guess.question:
        yield from _comment(f"QUESTION: {guess.question}", depth)
    for other in guess.alternatives:
        value = {**guess.value, **other} if isinstance(guess.value, Mapping) and isinstance(other, Mapping) else other
        yield f"{indent}# {name}: {in_one_line(value)}"
    yield f"{indent}{name}: {in_one_line(guess.value)}"


def _comment(text: str, depth: int) -> Iterator[str]:
    indent = "  " * depth + "# "
    printable = "".join(c if c.isprintable() else "\ufffd" for c in text)
    yield from textwrap.wrap(printable, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _is_branch(branch: Tree | Guess) -> bool:
    return not isinstance(branch, Guess)
