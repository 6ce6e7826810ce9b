"""What a text column of the warehouse cannot hold, said once for the formats that are read value by value."""

from __future__ import annotations


def problem_of(name: str, text: str, max_bytes: int) -> str | None:
    """Why `text` cannot be kept as it is, or None where it can."""
    if "\0" in text:
        return f"{name} holds a NUL byte"
    if len(text) * 4 <= max_bytes and text.isascii():
        return None
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        return f"character {error.start + 1} of {name} is no UTF-8"
    return f"{name} has {size} bytes, more than {max_bytes}" if size > max_bytes else None
