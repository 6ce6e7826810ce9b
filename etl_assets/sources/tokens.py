"""Personal values as keyed tokens, and records as ciphertext: what one secret makes of them for one institution.

Which columns that happens to belongs to `protection.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from etl_assets.spec.file import SpecRefused
from etl_assets.spec.privacy import KEY_VARIABLE

VARIABLE = KEY_VARIABLE
LEAST_CHARACTERS = 32
PREFIX = np.frombuffer(b"tok_", np.uint8)
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
PAIRS = np.array([first + second for first in ALPHABET for second in ALPHABET], "S2").view("<u2")
PLACES = np.arange(13) * 10  # in bits, each of a pair of characters
DIGEST_BYTES = 17
BETWEEN_DIGITS = "[ \u00a0\u2010-\u2015-]"
CARD = r"\A[0-9]{12,19}\z"
ROUNDED = r"\A[+-]?([0-9])(?:[.,][0-9]+)?[eE]\+([0-9]{2,3})\z"
MARK = b"\0etl1"


class KeyUnset(SpecRefused):
    """An institution has personal data and there is no key, or none that is one."""


class NotRevealed(ValueError):  # noqa: N818  the fact, not a fault
    """The bytes are no record that was encrypted for this institution with this key."""


@dataclass(frozen=True)
class Keys:
    """The keys of one institution; another one's are others, so its tokens cannot be joined with these."""

    institution: str
    token: bytes = field(repr=False)
    record: bytes = field(repr=False)

    @property
    def identifier(self) -> str:
        """Tells one secret from another without telling anything of it; differs where tokens cannot be joined."""
        return hmac.digest(self.token, b"identifier", "sha256").hex()[:8]

    def sealed(self, record: bytes) -> bytes:
        """The record, readable with the key only, and the same bytes each time.

        A random nonce would make of a file that is read again other rows than of its first reading.
        """
        return self._mark + AESSIV(self.record).encrypt(record, [self.institution.encode()])

    def revealed(self, record: bytes) -> bytes:
        """The bytes as delivered. Raises: NotRevealed."""
        if not record.startswith(MARK):
            raise NotRevealed("the record is not encrypted; it was written before the spec had personal_data")
        if not record.startswith(self._mark):
            raise NotRevealed(f"the record was encrypted for another institution or with another {VARIABLE}")
        try:
            return AESSIV(self.record).decrypt(record.removeprefix(self._mark), [self.institution.encode()])
        except InvalidTag as error:
            raise NotRevealed("the record was changed after it was encrypted") from error

    def tokens(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """A token for each value; null and blank stay what they are.

        The same card is the same token in every column and delivery of the institution, with or without spaces and
        dashes. What Excel has rounded is no value any more: first digit and exponent are left for the rule against it.
        """
        encoded = values.dictionary_encode().unify_dictionaries()
        if not encoded.num_chunks or not len(encoded.chunk(0).dictionary):
            return values
        texts = self._tokens(encoded.chunk(0).dictionary)
        return pa.chunked_array([texts.take(chunk.indices) for chunk in encoded.chunks], pa.string())

    def _tokens(self, distinct: pa.Array) -> pa.Array:
        plain = normalised(distinct)
        tokens = _written(self._digests(plain.to_pylist()))
        kept = pc.or_(pc.equal(plain, ""), pc.match_substring_regex(plain, ROUNDED))
        if not kept.true_count:
            return tokens
        shown = pc.if_else(pc.equal(plain, ""), distinct, pc.replace_substring_regex(plain, ROUNDED, r"\1E+\2"))
        return pc.if_else(kept, shown, tokens)

    def _digests(self, values: list[str]) -> bytes:
        """Keyed BLAKE2b of each, joined; a copy of one that knows the key is made faster than a new one."""
        copy, digests = self._keyed.copy, list[bytes]()
        for value in values:
            keyed = copy()
            keyed.update(value.encode())
            digests.append(keyed.digest())
        return b"".join(digests)

    @cached_property
    def _keyed(self) -> hashlib.blake2b:
        return hashlib.blake2b(key=self.token, digest_size=DIGEST_BYTES, person=b"etl_assets token")

    @property
    def _mark(self) -> bytes:
        return MARK + bytes.fromhex(self.identifier)


def keys_of(institution: str) -> Keys:
    """The keys that the environment's secret gives this institution.

    Raises: KeyUnset, naming the variable and how to make a secret.
    """
    secret = os.environ.get(VARIABLE, "")
    if len(secret) < LEAST_CHARACTERS:
        found = f"has only {len(secret)} characters" if secret else "is not set"
        raise KeyUnset(
            f"{institution} has personal_data, and {VARIABLE} {found}; set it to a secret of at least "
            f"{LEAST_CHARACTERS} characters (openssl rand -base64 32) and keep it: another one gives other tokens"
        )
    return Keys(institution, _derived(secret, institution, "token", 32), _derived(secret, institution, "record", 64))


def normalised(values: pa.Array) -> pa.Array:
    """Values that mean the same written the same: no spaces round them, and card numbers without any inside."""
    trimmed = pc.utf8_trim_whitespace(values)
    if not pc.any(pc.match_substring_regex(trimmed, BETWEEN_DIGITS)).as_py():
        return trimmed
    digits = pc.replace_substring_regex(trimmed, BETWEEN_DIGITS, "")
    return pc.if_else(pc.match_substring_regex(digits, CARD), digits, trimmed)


def _derived(secret: str, institution: str, purpose: str, length: int) -> bytes:
    info = f"etl_assets {purpose} {institution}".encode()
    return HKDF(SHA256(), length, salt=None, info=info).derive(secret.encode())


def _written(digests: bytes) -> pa.Array:
    """Each digest's first 130 bits in base32; all at once, because the library's own takes longer than the hash."""
    content = np.frombuffer(digests, np.uint8).reshape(-1, DIGEST_BYTES).astype(np.uint16)
    words = content.take(PLACES // 8, axis=1) << 8 | content.take(PLACES // 8 + 1, axis=1)
    pairs = PAIRS[words >> (6 - PLACES % 8).astype(np.uint16) & 0x3FF]
    count = len(content)
    text = np.hstack([np.broadcast_to(PREFIX, (count, len(PREFIX))), pairs.view(np.uint8)])
    offsets = np.arange(count + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
