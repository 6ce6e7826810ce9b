"""A tenant's YAML file as plain values, each of which knows its line.

Knows no field of the spec; what must be true of one is said in its model, and what is wrong with it in `mistakes.py`.
"""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Place = tuple[str | int, ...]


class SpecRefused(ValueError):  # noqa: N818  the refusal is the fact
    """A tenant's YAML cannot be used; the message names the file, the field and what was expected."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """A key stands once, where YAML takes the last of two. Dates stay text, so that a wrong one has a field's name."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} stands there twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return node


class YamlFile(NamedTuple):
    """The fields of a file, and where they stand in it."""

    content: dict[str, Any]
    root: yaml.Node

    def line(self, place: Place) -> int | None:
        """The line of the field, or of the innermost field round it that the file has; None where there is neither."""
        node, line = self.root, None
        for part in place:
            if (found := _below(node, part)) is None:
                break
            key, node = found
            line = key.start_mark.line + 1
        return line


def _below(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Where the field or item begins, and what it holds. What `<<` brings in stands before the node's own fields."""
    if isinstance(node, yaml.SequenceNode):
        items = node.value[part : part + 1] if isinstance(part, int) else []
        return (items[0], items[0]) if items else None
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next(((key, value) for key, value in reversed(pairs) if str(key.value) == str(part)), None)


def _problem(error: Exception) -> str:
    """What PyYAML says in four lines, in one."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    context = f"{error.context} of line {error.context_mark.line + 1}: " if error.context_mark else ""
    at = error.problem_mark
    return f"{context}{error.problem}, in line {at.line + 1}, column {at.column + 1}"


def yaml_file(path: Path) -> YamlFile:
    """The fields in the file.

    Raises: SpecRefused, naming the file and, where YAML itself is broken, the line.
    """
    try:
        with path.open("rb") as file:
            loader = _Loader(file)
            root = loader.get_single_node()
            content = None if root is None else loader.construct_document(root)
    except (yaml.YAMLError, OSError) as error:
        raise SpecRefused(f"{path}: expected a readable YAML file: {_problem(error)}") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else reprlib.repr(content)
        raise SpecRefused(f"{path}: expected fields as in `institution: my_bank`; found {found}")
    return YamlFile(content, root)
