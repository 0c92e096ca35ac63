"""Response bodies: undone compression, and a limit on what comes out of it.

Servers compress once and say so, compress and do not say so (``feed.xml.gz``), say so and do not, or compress twice.
Each layer here looks at its first two bytes and decides for itself; output is produced in small pieces, so that a
bomb stops at the limit with little memory used.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE = 64 * 1024  # bytes a layer gives at once
_LAYERS = 3
_ANY_HEADER = 32 + zlib.MAX_WBITS  # zlib finds out itself: gzip or zlib
_NO_HEADER = -zlib.MAX_WBITS


class TooLarge(Exception):
    """More bytes than allowed came out; the compressed body may be much smaller."""


class Damaged(Exception):
    """The compressed body is broken or was cut."""


class _Layer:
    """One possible compression: decides on its first two bytes, then decompresses or passes through."""

    def __init__(self, limit: int, *, deflate: bool = False) -> None:
        self._limit = limit
        self._deflate = deflate
        self._head = b""
        self._wbits: int | None = None  # None: not decided; 0: pass through
        self._stream = zlib.decompressobj()
        self._given = 0

    def push(self, chunk: bytes) -> Iterator[bytes]:
        if self._wbits is None:
            self._head += chunk
            if len(self._head) < 2:
                return
            chunk, self._head = self._head, b""
            self._decide(chunk[:2])
        for piece in self._pieces(chunk) if self._wbits else (chunk,):
            self._given += len(piece)
            if self._given > self._limit:
                raise TooLarge
            yield piece

    def finish(self) -> bytes:
        """What was held back; raises Damaged when a compressed stream has no end."""
        if self._wbits and not self._stream.eof:
            raise Damaged("the compressed body is incomplete")
        return self._head

    def _decide(self, head: bytes) -> None:
        zlib_header = head[0] == 0x78 and int.from_bytes(head, "big") % 31 == 0
        if head == b"\x1f\x8b" or zlib_header:
            self._wbits = _ANY_HEADER
        else:
            self._wbits = _NO_HEADER if self._deflate else 0
        if self._wbits:
            self._stream = zlib.decompressobj(self._wbits)

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self._stream.eof:
                if chunk[:2] != b"\x1f\x8b":
                    return  # padding after the end
                self._stream = zlib.decompressobj(_ANY_HEADER)  # gzip files may be several, one after the other
            try:
                piece = self._stream.decompress(chunk, PIECE)
            except zlib.error as error:
                raise Damaged(f"the compressed body is damaged ({error})") from error
            if piece:
                yield piece
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail


class Body:
    """Collects a body chunk by chunk, whatever its compression; at most ``limit`` bytes come out of any layer."""

    def __init__(self, limit: int, *, content_encoding: str = "") -> None:
        deflate = content_encoding.strip().lower() == "deflate"
        self._layers = [_Layer(limit, deflate=deflate and n == 0) for n in range(_LAYERS)]
        self._collected = bytearray()

    def push(self, chunk: bytes) -> int:
        """Take one chunk; gives the number of bytes that came out. Raises TooLarge or Damaged."""
        before = len(self._collected)
        self._run(chunk, 0)
        return len(self._collected) - before

    def finish(self) -> bytes:
        """The whole body. Raises Damaged when a compressed body was cut."""
        for depth, layer in enumerate(self._layers):
            self._run(layer.finish(), depth + 1)
        return bytes(self._collected)

    def _run(self, chunk: bytes, depth: int) -> None:
        if depth == len(self._layers):
            self._collected += chunk
            return
        for piece in self._layers[depth].push(chunk):
            self._run(piece, depth + 1)


def decompressed(body: bytes, limit: int) -> bytes:
    """``body`` read from a file, with its compression undone. Raises TooLarge or Damaged."""
    collected = Body(limit)
    collected.push(body)
    return collected.finish()
