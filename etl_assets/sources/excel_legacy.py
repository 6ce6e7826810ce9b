"""Whether a legacy `.xls` is all there: its reader takes one that was cut off for a shorter sheet.

Only the file's table of sectors is read; what is in the sectors belongs to `excel_child.py`.
"""

from __future__ import annotations

import numpy as np

from etl_assets.sources.layout import DeliveryRejected

MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
FREE = 0xFFFFFFFF
HEADER_BYTES, LISTED_AT = 512, 76


def refuse_cut_off(content: bytes) -> None:
    """Raises: DeliveryRejected, if a legacy workbook says that it has more sectors than the file."""
    if not content.startswith(MAGIC):
        return
    if len(content) < HEADER_BYTES or content[30] not in {9, 12} or not _is_whole(content):
        raise DeliveryRejected("it is no complete workbook (it ends before its last sector); ask for the file again")


def _is_whole(content: bytes) -> bool:
    size = 1 << content[30]
    listed = np.frombuffer(content, "<u4", (HEADER_BYTES - LISTED_AT) // 4, LISTED_AT)
    for number, table in enumerate(listed[listed < FREE - 5].tolist()):
        entries = content[(table + 1) * size : (table + 2) * size]
        if len(entries) < size:
            return False
        used = np.flatnonzero(np.frombuffer(entries, "<u4") != FREE)
        if len(used) and (number * (size // 4) + int(used[-1]) + 1) * size >= len(content):
            return False
    return True
