"""Open a recording: what its file says about the sound in it, and FFmpeg, which reads it.

A recorder that was killed leaves a header that promises less sound than follows, and two files may
be appended to one another; FFmpeg then reads the beginning and says nothing. The containers of
plain samples (WAV in all its kinds, Wave64, AIFF, AU) say where their sound ends. In any other, the
first bytes of a second file tell that there is one.
"""

import errno
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from warmline.errors import RecordingRefusedError, first_line
from warmline.recordings import open_recording
from warmline.settings import RecordingSettings

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_CHUNK_LIMIT = 1000
_BLOCK_BYTES = 1 << 20
_OVERLAP_BYTES = 64
_MP3_TAGS = (b"Xing", b"Info", b"VBRI")
_W64_GUID = b"\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"

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
    (0, b"riff" + _W64_GUID, "Wave64"),
)
#: How a file of each kind begins, in so many bytes that sound does not do so by chance.
_BEGINNINGS = {
    "WAV": rb"(?:RIF[FX]|RF64|BW64).{4}WAVE",
    "AIFF": rb"FORM.{4}AIF[FC]",
    "AU": rb"\.snd\0\0.{2}.{4}\0\0\0[\x01-\x1b]\0",
    "Wave64": re.escape(b"riff" + _W64_GUID),
    "FLAC": rb"fLaC[\0\x80]\0\0\x22",
    "Ogg": rb"OggS\0\x02.{8}",
    "MP4": rb"\0\0[\0-\x01].ftyp(?:M4[AB] |iso[m2-9]|mp4[12]|3gp\w|3g2\w|qt  |dash|avc1|MSNV)",
    "MP3": rb"ID3[\x02-\x04]\0[\0\x40\x80][\0-\x7f]{4}[A-Z\xff]",
    "AMR": rb"#!AMR(?:-WB)?\n",
    "Matroska": rb"\x1aE\xdf\xa3.{1,8}?\x42\x86\x81\x01",
}
_MAY_HOLD_FLAC = ("Ogg", "Matroska")  # and its beginning, near their own
_HEAD_BYTES = 1 << 14
# WAV's numbers for samples as they are, of A-law and mu-law, and for one that is told elsewhere.
_PLAIN_FORMATS = frozenset((0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE))
# A frame of AAC has no more bytes, its head so many; as many frames stand nowhere by chance.
_LONGEST_AAC, _AAC_HEAD, _SURE_FRAMES = 1 << 13, 7, 6


@dataclass(frozen=True)
class Header:
    """A file's statements about itself.

    `kind` is the container that its first bytes announce, None when we know none. `sound_bytes` are
    the bytes of plain samples that a header promises and those that are there; None when the
    container holds no plain samples, or was written by a recorder that did not know the length
    (zero, or as much as fits). `lacks_mp4_index`: an MP4 file that ends before its index, as a copy
    that was cut short does. `has_mp3_length`: an MP3 file that says how long it is, in a tag in its
    first frame. `rest_bytes` follow the sound that is promised and are neither chunks nor padding:
    the recorder went on without telling the header. `second`: which kind of file begins inside this
    one, and where. `bytes_a_second` is 0 when it is not known. `mended` are bytes to be read in
    place of those at these positions, so that all sound is read.
    """

    size_bytes: int
    kind: str | None
    sound_bytes: tuple[int, int] | None = None
    lacks_mp4_index: bool = False
    has_mp3_length: bool = False
    rest_bytes: int = 0
    second: tuple[str, int] | None = None
    bytes_a_second: int = 0
    mended: tuple[tuple[int, bytes], ...] = ()


def read_header(file: BinaryIO) -> Header:
    """Read a few small pieces of the file, and leave its position at the start.

    Where the header does not say how much sound there is, the whole file is looked through for the
    beginning of a second one.
    """
    size_bytes = file.seek(0, 2)
    head = _at(file, 0, 16)
    kind = next((name for at, magic, name in _MAGIC if head[at : at + len(magic)] == magic), None)
    header = Header(size_bytes, kind)
    if chunks := _chunks_of(head):
        header = _of_samples(file, header, chunks)
    elif kind == "AU":
        header = _of_au(file, header)
    elif kind == "MP4":
        lacks_index, atoms_end = _mp4_atoms(file, size_bytes)
        second = _next_file(file, atoms_end, size_bytes)
        header = replace(header, lacks_mp4_index=lacks_index, second=second)
    else:
        header = replace(header, has_mp3_length=_has_mp3_length(file, head))
        start = _HEAD_BYTES if kind in _MAY_HOLD_FLAC else 1
        header = replace(header, second=_find_file(file, start, size_bytes, kind or "MP3"))
    file.seek(0)
    return header


@dataclass(frozen=True)
class _Chunks:
    """How a container of chunks is written: WAV and AIFF have names of 4 bytes, Wave64 of 16."""

    begins: int
    size_format: str
    sound: bytes
    name_bytes: int = 4
    counted: int = 0  # bytes of its own head that a chunk's size counts
    even: int = 2

    def at(self, file: BinaryIO, position: int) -> tuple[bytes, int, int, int] | None:
        """Return name, beginning and size of the chunk that is here, and where the next is."""
        head = self.name_bytes + struct.calcsize(self.size_format)
        read = _at(file, position, head)
        if len(read) < head:
            return None
        (size,) = struct.unpack(self.size_format, read[self.name_bytes :])
        size = max(0, size - self.counted)
        start = position + head
        return read[:4], start, size, start + -(-size // self.even) * self.even

    @property
    def largest(self) -> int:
        """Return the size from which on it means that the recorder did not know it."""
        return 0x7FFF_0000 if self.size_format[-1] == "I" else 1 << 62


_WAV = _Chunks(12, "<I", b"data")
_AIFF = _Chunks(12, ">I", b"SSND")
_WAVE64 = _Chunks(40, "<Q", b"data", name_bytes=16, counted=24, even=8)
_NO_CHUNKS = frozenset(
    (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"OggS", b"fLaC", b".snd", b"riff", b"caff")
)


def _chunks_of(head: bytes) -> _Chunks | None:
    if head[8:12] == b"WAVE" and head[:4] in (b"RIFF", b"RF64", b"BW64"):
        return _WAV
    if head[8:12] == b"WAVE" and head[:4] == b"RIFX":
        return replace(_WAV, size_format=">I")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _AIFF
    return _WAVE64 if head == b"riff" + _W64_GUID else None


def _of_samples(file: BinaryIO, header: Header, chunks: _Chunks) -> Header:
    """Add what the chunks of a container of plain samples say, and what follows them."""
    before: dict[bytes, tuple[int, int]] = {}
    position = chunks.begins
    for _ in range(_CHUNK_LIMIT):
        chunk = chunks.at(file, position)
        if chunk is None:
            return header
        name, start, size, position = chunk
        before.setdefault(name, (start, size))
        if name == chunks.sound:
            break
    else:
        return header
    if b"ds64" in before and size >= 0xFFFF_FFFF:
        size = struct.unpack("<Q", _at(file, before[b"ds64"][0] + 8, 8))[0]
    header = replace(header, bytes_a_second=_bytes_a_second(file, before))
    there = header.size_bytes - start
    first = 8 if chunks is _AIFF else 0  # an offset and a block size stand before the samples
    if not first < size < (1 << 62 if b"ds64" in before else chunks.largest):
        second = _find_file(file, start, header.size_bytes)
        if _is_plain(file, before):
            aac = _find_aac(file, start, second[1] if second else header.size_bytes)
            second = aac or second
        mended = _mended(chunks, start, there) + _mended_count(file, before, there)
        return replace(header, second=second, mended=mended)
    header = replace(header, sound_bytes=(size, min(size, there)))
    rest_at = min(start + size, header.size_bytes)
    explained = _end_of_chunks(file, chunks, rest_at, header.size_bytes)
    if explained >= header.size_bytes or _is_padding(file, explained, header.size_bytes):
        return header
    if second := _next_file(file, explained, header.size_bytes, chunks):
        return replace(header, second=second)
    mended = _mended(chunks, start, there)
    return replace(header, rest_bytes=header.size_bytes - explained, mended=mended)


def _mended(chunks: _Chunks, start: int, there: int) -> tuple[tuple[int, bytes], ...]:
    """Return the sizes that make FFmpeg read on; it has an option for that where it reads WAV."""
    if chunks is _AIFF:
        return (4, struct.pack(">I", start + there - 8)), (start - 4, struct.pack(">I", there))
    if chunks is _WAVE64:
        return ((start - 8, struct.pack("<Q", there + chunks.counted)),)
    return ()


def _mended_count(
    file: BinaryIO, before: dict[bytes, tuple[int, int]], there: int
) -> tuple[tuple[int, bytes], ...]:
    """Return a number of samples that an AIFF file may have, if its own is impossible."""
    if b"COMM" not in before:
        return ()
    at = before[b"COMM"][0]
    channels, count, bits = struct.unpack(">HIH", _at(file, at, 8).ljust(8, b"\0"))
    if 0 < count < _AIFF.largest:
        return ()
    count = (there - 8) // max(1, channels * -(-bits // 8))
    return ((at + 2, struct.pack(">I", count)),)


def _bytes_a_second(file: BinaryIO, before: dict[bytes, tuple[int, int]]) -> int:
    if b"fmt " in before and before[b"fmt "][1] >= 16:
        order = ">" if _at(file, 0, 4) == b"RIFX" else "<"
        rate = _at(file, before[b"fmt "][0] + 8, 4)
        return int(struct.unpack(f"{order}I", rate)[0]) if len(rate) == 4 else 0
    if b"COMM" in before:
        said = _at(file, before[b"COMM"][0], 18)
        if len(said) == 18:
            channels, _, bits, exponent, mantissa = struct.unpack(">hIhHQ", said)
            shift = 63 - (exponent - 16383)
            return int(channels * -(-bits // 8) * (mantissa >> shift)) if 0 < shift < 64 else 0
    return 0


def _of_au(file: BinaryIO, header: Header) -> Header:
    """Add what an AU file says: FFmpeg reads all that follows, but takes no length of zero."""
    start, size = struct.unpack(">II", _at(file, 4, 8).ljust(8, b"\0"))
    mended = ((8, b"\xff" * 4),) if size == 0 else ()
    end = start + size
    second = _find_file(file, max(1, start), header.size_bytes)
    if second is None and 0 < size < header.size_bytes - start and (kind := _frames_at(file, end)):
        second = (kind, end)
    second = _find_aac(file, max(1, start), second[1] if second else header.size_bytes) or second
    return replace(header, mended=mended, second=second)


def _end_of_chunks(file: BinaryIO, chunks: _Chunks, position: int, end: int) -> int:
    """Return where the chunks that begin here, or behind padding, end; here, if none does."""
    for start in range(position, position + chunks.even):
        after = _end_of_row(file, chunks, start, end)
        if after > start:
            return after
    return position


def _end_of_row(file: BinaryIO, chunks: _Chunks, position: int, end: int) -> int:
    for _ in range(_CHUNK_LIMIT):
        chunk = chunks.at(file, position)
        if chunk is None:
            break
        name, start, size, after = chunk
        is_chunk = name.isascii() and name.decode("ascii", "replace").isprintable()
        if not is_chunk or name in _NO_CHUNKS or name == chunks.sound or start + size > end:
            break
        position = after
    return position


def _next_file(
    file: BinaryIO, position: int, end: int, chunks: _Chunks | None = None
) -> tuple[str, int] | None:
    """Return the file that begins here, or a plain beginning of one after it, and where."""
    if position >= end:
        return None
    if chunks and (chunk := chunks.at(file, position)) and chunk[0] == chunks.sound:
        return "piece of sound", position
    if kind := _frames_at(file, position):
        return kind, position
    return _find_file(file, position, end)


def _find_file(file: BinaryIO, position: int, end: int, within: str = "") -> tuple[str, int] | None:
    """Return kind and place of the next beginning of a file, at or after a position.

    Another file of the kind `within` is read on with the first, and passed over here.
    """
    forms = {kind: form for kind, form in _BEGINNINGS.items() if kind != within}
    any_form = re.compile(b"|".join(b"(" + form + b")" for form in forms.values()), re.DOTALL)
    before = b""
    while position < end:
        more = _at(file, position, _BLOCK_BYTES)
        if not more:
            break
        if found := any_form.search(before + more):
            kind = tuple(forms)[(found.lastindex or 1) - 1]
            return kind, position - len(before) + found.start()
        position += len(more)
        before = (before + more)[-_OVERLAP_BYTES:]
    return None


def _is_plain(file: BinaryIO, before: dict[bytes, tuple[int, int]]) -> bool:
    """Return whether the sound is samples, in which no frames of AAC stand by right."""
    if b"fmt " not in before:
        return True
    order = ">" if _at(file, 0, 4) == b"RIFX" else "<"
    form = _at(file, before[b"fmt "][0], 2)
    return len(form) == 2 and struct.unpack(f"{order}H", form)[0] in _PLAIN_FORMATS


def _find_aac(file: BinaryIO, position: int, end: int) -> tuple[str, int] | None:
    """Return where frames of AAC begin among samples, which look like one by chance only."""
    while position < end:
        block = np.frombuffer(_at(file, position, _BLOCK_BYTES + _LONGEST_AAC), np.uint8)
        if block.size < _AAC_HEAD:
            return None
        for at in _aac_pairs(block[: end - position]):
            if _follow(file, position + at, _aac_frame_bytes, _SURE_FRAMES):
                return "AAC", position + at
        position += _BLOCK_BYTES
    return None


def _aac_pairs(block: NDArray[np.uint8]) -> Iterator[int]:
    """Yield where a frame of AAC may begin that another one like it follows."""
    at = np.flatnonzero((block[: -_AAC_HEAD + 1] == 0xFF)[:_BLOCK_BYTES])
    at = at[block[at + 1] & 0xF6 == 0xF0]
    high, middle, low = (block[at + n].astype(np.intp) for n in (3, 4, 5))
    size = (high & 3) << 11 | middle << 3 | low >> 5
    is_inside = (size >= _AAC_HEAD) & (at + size + 2 < block.size)
    at, size = at[is_inside], size[is_inside]
    for n in range(3):
        is_alike = block[at + size + n] == block[at + n]
        at, size = at[is_alike], size[is_alike]
    yield from at.tolist()


def _frames_at(file: BinaryIO, position: int) -> str | None:
    """Return MP3 or AAC if three frames of it follow one another here."""
    for kind, length in (("MP3", _mp3_frame_bytes), ("AAC", _aac_frame_bytes)):
        if _follow(file, position, length):
            return kind
    return None


def _follow(file: BinaryIO, position: int, length: Callable[[bytes], int], count: int = 3) -> bool:
    for _ in range(count):
        size = length(_at(file, position, 7))
        if not size:
            return False
        position += size
    return True


_KBIT = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBIT_LOW = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def _mp3_frame_bytes(head: bytes) -> int:
    """Return the length of a frame of layer III, 0 where none begins."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, rate, place = head[1] >> 3 & 3, head[2] >> 2 & 3, head[2] >> 4
    if version not in _MPEG_HZ or rate == 3 or not 0 < place < 15:
        return 0
    kbit = _KBIT[place] if version == 3 else _KBIT_LOW[place]
    samples = 1152 if version == 3 else 576
    return samples * kbit * 125 // _MPEG_HZ[version][rate] + (head[2] >> 1 & 1)


def _aac_frame_bytes(head: bytes) -> int:
    """Return the length of an ADTS frame, 0 where none begins."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else 0


def _is_padding(file: BinaryIO, position: int, end: int) -> bool:
    """Return whether all bytes are equal: zeros up to the end of a block, the silence of mu-law."""
    first = _at(file, position, 1)
    while position < end:
        block = _at(file, position, _BLOCK_BYTES)
        if not block or block.strip(first):
            return False
        position += len(block)
    return True


def _mp4_atoms(file: BinaryIO, end: int) -> tuple[bool, int]:
    """Return whether the file ends before its index, and where its atoms end.

    They end before a second atom of the kind that opens each file.
    """
    position, has_index = 0, False
    for _ in range(_CHUNK_LIMIT):
        atom = _at(file, position, 16)
        if len(atom) < 8:
            return not has_index, position
        size, name = struct.unpack(">I4s", atom[:8])
        if size == 1 and len(atom) == 16:
            size = struct.unpack(">Q", atom[8:])[0]
        if (name == b"ftyp" and position > 0) or 0 < size < 8:
            return False, position
        has_index = has_index or name == b"moov"
        if size == 0 or position + size > end:  # zero reaches to the end of the file
            is_cut = not has_index
            return is_cut, position if has_index and not name.isalnum() else end
        position += size
    return False, end


def _has_mp3_length(file: BinaryIO, head: bytes) -> bool:
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        digits = zip(head[6:10], (21, 14, 7, 0), strict=True)
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in digits)
    frame = _at(file, start, 4096)
    return any(tag in frame for tag in _MP3_TAGS)


def _at(file: BinaryIO, position: int, size: int) -> bytes:
    if position >= file.seek(0, 2):  # a size of garbage; file systems refuse to seek very far
        return b""
    file.seek(position)
    return file.read(size)


class _MendedFile:
    """A file in which other bytes stand at some positions, as FFmpeg is to read it."""

    def __init__(self, file: BinaryIO, mended: tuple[tuple[int, bytes], ...]) -> None:
        self._file = file
        self._mended = mended

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        position = self._file.tell()
        data = self._file.read(size)
        for at, new in self._mended:
            low, high = max(at, position), min(at + len(new), position + len(data))
            if low < high:
                into = low - position
                data = data[:into] + new[low - at : high - at] + data[into + high - low :]
        return data


# Open a recording with FFmpeg.


_CONTAINERS = (
    *("wav", "w64", "mp3", "mov", "mp4", "m4a", "3gp", "3g2", "aac", "ogg", "flac", "amr"),
    *("amrnb", "amrwb", "gsm", "asf", "matroska", "webm", "au", "aiff", "avi", "mpegts", "mpeg"),
)
_OPTIONS = {
    "format_whitelist": ",".join(_CONTAINERS),
    "protocol_whitelist": "none",
    "max_size": "65536",  # larger packets of plain PCM: half the time
}
#: Encoders pad and trim: a tenth of a second is not a cut.
LEAST_MISSING_S = 0.5
_SEEK_FORCE = 0x20000  # FFmpeg's flag beside SEEK_SET, SEEK_CUR, SEEK_END


class _Source:
    """A file as FFmpeg reads it. A seek that is not possible returns an error number.

    (PyAV would print a Python exception on the terminal.)
    """

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self.name = file.name
        self.read = _MendedFile(file, header.mended).read if header.mended else file.read
        self.tell = file.tell
        self._file = file

    def seek(self, offset: int, whence: int = 0) -> int:
        """Return the new position, or a negative error number."""
        try:
            return self._file.seek(offset, whence & ~_SEEK_FORCE)
        except (OSError, ValueError, OverflowError):
            return -errno.EINVAL


@contextmanager
def opened(
    path: Path, settings: RecordingSettings, probed_bytes: int | None = None
) -> Iterator[tuple["InputContainer", "AudioStream", Header]]:
    """Open a recording with FFmpeg: its first stream of sound, and what its header says.

    FFmpeg looks through the first 5 MB for what they hold, or through so many bytes.
    """
    import av

    name = path.name
    with open_recording(path) as file:
        header = read_header(file)
        _refuse_cut_samples(name, header, settings)
        _refuse_second_file(name, header)
        options = _OPTIONS | ({"ignore_length": "1"} if _goes_on(header, settings) else {})
        options |= {"probesize": str(probed_bytes)} if probed_bytes else {}
        try:
            container = av.open(
                _Source(file, header), mode="r", options=options, metadata_errors="replace"
            )
        except av.error.FFmpegError as e:
            raise _not_openable(name, header, e) from e
        with container:
            yield container, _audio_stream(name, container), header


def _refuse_cut_samples(name: str, header: Header, settings: RecordingSettings) -> None:
    """Refuse plain samples fewer than the header says, which FFmpeg would accept silently."""
    if header.sound_bytes is None:
        return
    promised, present = header.sound_bytes
    if present < promised * (1 - settings.max_missing_share):
        raise RecordingRefusedError(
            "truncated",
            f"{name}: the header promises {promised} bytes of sound, {present} "
            f"({present / promised:.0%}) are there; copy the file again",
        )


def _goes_on(header: Header, settings: RecordingSettings) -> bool:
    """Return whether sound is to be read to the end of the file, whatever its header states."""
    if header.kind == "WAV" and header.sound_bytes is None:
        return True  # the header does not say
    promised = header.sound_bytes[0] if header.sound_bytes else 0
    least = max(promised * settings.max_missing_share, header.bytes_a_second * LEAST_MISSING_S)
    return header.rest_bytes > least


def _refuse_second_file(name: str, header: Header) -> None:
    """Refuse two files joined into one, of which FFmpeg would read only the first."""
    if header.second is None:
        return
    kind, at = header.second
    what = kind if kind.startswith("piece") else f"{kind} file"
    lengths = f"after {at} of {header.size_bytes} bytes"
    if rate := header.bytes_a_second:
        lengths += f" (about {at / rate:.1f} of {header.size_bytes / rate:.1f} s)"
    raise RecordingRefusedError(
        "two_files", f"{name}: a second {what} begins {lengths}; split it into two"
    )


def _not_openable(name: str, header: Header, error: Exception) -> RecordingRefusedError:
    if header.lacks_mp4_index:
        return RecordingRefusedError(
            "truncated",
            f"{name}: an MP4 file of {header.size_bytes} bytes that ends before its index; "
            "copy the file again",
        )
    if header.kind is not None:
        why = getattr(error, "strerror", None) or first_line(error)
        return RecordingRefusedError(
            "corrupt",
            f"{name}: begins as {header.kind}, but no sound can be read in its "
            f"{header.size_bytes} bytes ({why}); copy the file again",
        )
    return RecordingRefusedError("not_audio", f"{name}: not a sound file of any kind known here")


def _audio_stream(name: str, container: "InputContainer") -> "AudioStream":
    if not container.streams.audio:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise RecordingRefusedError("no_audio_stream", f"{name}: holds no sound, only {kinds}")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise RecordingRefusedError("unsupported_codec", f"{name}: its codec is not known")
    stream.codec_context.thread_count = 1
    return stream
