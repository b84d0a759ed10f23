"""What the first bytes of a file promise, where the decoding library does not tell.

FFmpeg quietly shortens a WAV file to what is there, estimates the length of an MP3 file from its
size, and calls an MP4 file without its index "invalid data". A person wants to know which it was.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

_UNKNOWN_LENGTH_FROM = 0x7FFF_0000  # writers to a pipe put 2**31 - something, or all ones, or zero
_CHUNK_LIMIT = 1000
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
    """

    size_bytes: int
    kind: str | None
    wav_bytes: tuple[int, int] | None
    lacks_mp4_index: bool
    has_mp3_length: bool


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
    file.seek(0)
    return header


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
