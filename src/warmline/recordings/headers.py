"""What the first bytes of a file promise, where the decoding library does not tell.

FFmpeg quietly shortens a WAV file to what is there or to what its header says, stops where a second
WAV, AIFF or MP4 file was appended to the first, estimates the length of an MP3 file from its size,
and calls an MP4 file without its index "invalid data". A person wants to know which it was.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

_UNKNOWN_LENGTH_FROM = 0x7FFF_0000  # writers to a pipe put 2**31 - something, or all ones, or zero
_CHUNK_LIMIT = 1000
_BLOCK_BYTES = 1 << 20
_OVERLAP_BYTES = 64
_MP3_TAGS = (b"Xing", b"Info", b"VBRI")

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (8, b"WAVE", "WAV"),
    (4, b"ftyp", "MP4"),
    (0, b"OggS", "Ogg"),
    (0, b"fLaC", "FLAC"),
    (0, b"ID3", "MP3"),
    (0, b"#!AMR", "AMR"),
    (0, b".snd", "AU"),
    (8, b"AIFF", "AIFF"),
    (8, b"AIFC", "AIFF"),
    (8, b"AVI ", "AVI"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"),
)


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    `kind` is the container that its first bytes announce, None when we know none. `wav_bytes` are
    the bytes of sound that a WAV header promises and those that are there; None when it is not WAV,
    or was written by a recorder that did not know the length (zero, or the limit of 32 bits).
    `lacks_mp4_index`: an MP4 file that ends before its index, as a copy that was cut short does.
    `has_mp3_length`: an MP3 file that says how long it is, in a tag in its first frame.
    `wav_rest_bytes` follow the sound that a WAV header promises and are neither chunks nor padding:
    the recorder went on without telling the header. `second_at`: where another file of the same
    kind begins inside this one. `wav_bytes_a_second` is 0 when it is not known.
    """

    size_bytes: int
    kind: str | None
    wav_bytes: tuple[int, int] | None
    lacks_mp4_index: bool
    has_mp3_length: bool
    wav_rest_bytes: int = 0
    second_at: int | None = None
    wav_bytes_a_second: int = 0


def read_header(file: BinaryIO) -> Header:
    """Read a few small pieces of the file, and leave its position at the start."""
    size_bytes = file.seek(0, 2)
    head = _at(file, 0, 16)
    kind = next((name for at, magic, name in _MAGIC if head[at : at + len(magic)] == magic), None)
    header = Header(
        size_bytes,
        kind,
        _wav_bytes(file, size_bytes) if kind == "WAV" else None,
        kind == "MP4" and _lacks_mp4_index(file, size_bytes),
        _has_mp3_length(file, head),
    )
    if kind == "WAV":
        header = _with_wav_rest(file, header)
    elif kind == "MP4":
        header = replace(header, second_at=_second_mp4(file, size_bytes))
    elif kind == "AIFF":
        (length,) = struct.unpack(">I", head[4:8])
        after = _at(file, 8 + length + length % 2, 12)
        if after[:4] == b"FORM" and after[8:12] in (b"AIFF", b"AIFC"):
            header = replace(header, second_at=8 + length + length % 2)
    file.seek(0)
    return header


def _with_wav_rest(file: BinaryIO, header: Header) -> Header:
    """Add what stands behind the sound of a WAV file."""
    chunks = dict(_wav_chunks(file))
    start, size = chunks.get(b"data", (0, 0))
    if not start:
        return header
    format_at, format_size = chunks.get(b"fmt ", (0, 0))
    rate = _at(file, format_at + 8, 4) if format_size >= 16 else b""
    header = replace(
        header, wav_bytes_a_second=struct.unpack("<I", rate)[0] if len(rate) == 4 else 0
    )
    if header.wav_bytes is None:  # the length is not known: all is sound, up to another file
        return replace(header, second_at=_second_wav(file, start, header.size_bytes))
    rest_at = min(start + size, header.size_bytes)
    explained = max(_end_of_chunks(file, at, header.size_bytes) for at in (rest_at, rest_at + 1))
    rest = max(0, header.size_bytes - explained)
    second_at = _second_wav(file, rest_at, header.size_bytes) if rest else None
    if second_at is not None or _is_padding(file, explained, header.size_bytes):
        rest = 0
    return replace(header, wav_rest_bytes=rest, second_at=second_at)


def _wav_chunks(file: BinaryIO) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Names of the chunks up to the sound, each with its place and size."""
    position = 12
    for _ in range(_CHUNK_LIMIT):
        chunk = _at(file, position, 8)
        if len(chunk) < 8:
            return
        name, size = struct.unpack("<4sI", chunk)
        yield name, (position + 8, size)
        if name == b"data":
            return
        position += 8 + size + size % 2


def _end_of_chunks(file: BinaryIO, position: int, end: int) -> int:
    """Where the chunks that begin here end; here, if none does."""
    for _ in range(_CHUNK_LIMIT):
        chunk = _at(file, position, 8)
        if len(chunk) < 8:
            break
        name, size = struct.unpack("<4sI", chunk)
        is_chunk = name.isascii() and name.decode("ascii", "replace").isprintable()
        if not is_chunk or name in (b"RIFF", b"RIFX", b"RF64") or position + 8 + size > end:
            break
        position += 8 + size + size % 2
    return position


def _second_wav(file: BinaryIO, position: int, end: int) -> int | None:
    """Where the next WAV file begins, at or after a position."""
    block = b""
    while position < end:
        more = _at(file, position, _BLOCK_BYTES)
        found = (block + more).find(b"WAVEfmt ")
        if found >= 8 and (block + more)[found - 8 : found - 4] in (b"RIFF", b"RIFX", b"RF64"):
            return position - len(block) + found - 8
        position += len(more)
        block = (block + more)[-_OVERLAP_BYTES:]
        if not more:
            break
    return None


def _is_padding(file: BinaryIO, position: int, end: int) -> bool:
    """Whether all bytes are the same: zeros up to the end of a block, the silence of mu-law."""
    first = _at(file, position, 1)
    while position < end:
        block = _at(file, position, _BLOCK_BYTES)
        if not block or block.strip(first):
            return False
        position += len(block)
    return True


def _second_mp4(file: BinaryIO, end: int) -> int | None:
    """Where a second MP4 file begins: a second atom of the kind that is the first of each."""
    position = 0
    for _ in range(_CHUNK_LIMIT):
        atom = _at(file, position, 16)
        if len(atom) < 8 or position >= end:
            return None
        size, name = struct.unpack(">I4s", atom[:8])
        if name == b"ftyp" and position > 0:
            return position
        if size == 1 and len(atom) == 16:
            size = struct.unpack(">Q", atom[8:])[0]
        if size < 8:
            return None
        position += size
    return None


def _wav_bytes(file: BinaryIO, end: int) -> tuple[int, int] | None:
    position = 12
    for _ in range(_CHUNK_LIMIT):
        chunk = _at(file, position, 8)
        if len(chunk) < 8:
            return None
        name, size = struct.unpack("<4sI", chunk)
        position += 8
        if name == b"data":
            known = 0 < size < _UNKNOWN_LENGTH_FROM
            return (size, min(size, end - position)) if known else None
        position += size + size % 2
    return None


def _lacks_mp4_index(file: BinaryIO, end: int) -> bool:
    position = 0
    for _ in range(_CHUNK_LIMIT):
        atom = _at(file, position, 16)
        if len(atom) < 8:
            return True
        size, name = struct.unpack(">I4s", atom[:8])
        if size == 1 and len(atom) == 16:
            size = struct.unpack(">Q", atom[8:])[0]
        if size == 0:  # reaches to the end of the file
            return bool(name != b"moov")
        if position + size > end:
            return True
        if name == b"moov" or size < 8:
            return False
        position += size
    return False


def _has_mp3_length(file: BinaryIO, head: bytes) -> bool:
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        digits = zip(head[6:10], (21, 14, 7, 0), strict=True)
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in digits)
    frame = _at(file, start, 4096)
    return any(tag in frame for tag in _MP3_TAGS)


def _at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)
