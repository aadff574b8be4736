"""The mark that names the weights of a stream, in its user data segment (UDI).

    "JAIMODL1"   8 bytes
    SHA-256      32 bytes, of the integer tables `entropy_<model>.bin` that the stream was coded with
    the rest     user data of the writer, possibly empty

A stream decodes only with the weights it was made with; with the mark a decoder can say so before it decodes noise.
User data of other writers does not begin with these eight bytes and means nothing to us.
"""

from __future__ import annotations

from ..hashing import sha256

MAGIC = b"JAIMODL1"
_DIGEST_BYTES = 32


def model_mark(tables: bytes, rest: bytes = b"") -> bytes:
    """User data that marks a stream as coded with these integer tables."""
    return MAGIC + sha256(tables).digest() + rest


def names_other_model(user_data: bytes | None, tables: bytes) -> bool:
    """Whether the user data of a stream names other integer tables than these; false where it names none."""
    if user_data is None or not user_data.startswith(MAGIC) or len(user_data) < len(MAGIC) + _DIGEST_BYTES:
        return False
    return not user_data.startswith(model_mark(tables))
