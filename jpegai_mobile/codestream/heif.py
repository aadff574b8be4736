"""Code streams inside HEIF files (`image/jaii`): the payload of an item of type `jaii`.

The structures read here are those of the ISO base media file format (ISO/IEC 14496-12) and of HEIF (ISO/IEC 23008-12);
the item type is that of the IANA registration of `image/jaii`. Nothing else of ISO/IEC 6048-5 is needed to find the
code stream, whose own headers say the rest. A picture that the file wants rotated, mirrored or cropped is refused, as
is one that is put together from several items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import InvalidStream, Unsupported

ITEM_TYPE = b"jaii"
TRANSFORMATIONS = (b"irot", b"imir", b"clap")
"""Properties that change how an item is displayed."""
IN_FILE, IN_IDAT = 0, 1
"""Construction methods of iloc: what its offsets count from."""


def code_stream_of(data: bytes) -> bytes:
    """The code stream that a file holds: its primary item if it is a HEIF file, else the file itself.

    Raises InvalidStream for a damaged HEIF file or one without JPEG AI, Unsupported for one that needs more of HEIF.
    """
    return _primary_code_stream(data) if is_heif(data) else data


def is_heif(data: bytes) -> bool:
    """Whether the bytes start as a file of the ISO base media file format."""
    return data[4:8] == b"ftyp"


@dataclass(frozen=True)
class _Box:
    """A box inside `data`, from `start` to `stop` without its header."""

    data: bytes
    kind: bytes
    start: int
    stop: int

    @property
    def reader(self) -> _Reader:
        return _Reader(self, self.start)

    def full(self, versions: int) -> tuple[_Reader, int, int]:
        """Reader, version (below `versions`) and flags of a box that has them."""
        reader = self.reader
        version, flags = reader.u(1), reader.u(3)
        if version >= versions:
            raise Unsupported(f"HEIF: version {version} of {reader.place}")
        return reader, version, flags


@dataclass
class _Reader:
    """Big-endian numbers from a box; raises InvalidStream beyond its end."""

    box: _Box
    position: int

    @property
    def place(self) -> str:
        return f"box {self.box.kind.decode('latin-1')!r} at byte {self.box.start}"

    def bytes(self, count: int) -> bytes:
        end = self.position + count
        if end > self.box.stop:
            raise InvalidStream(f"HEIF: {self.place} ends at byte {self.box.stop}, more was expected")
        value = self.box.data[self.position : end]
        self.position = end
        return value

    def u(self, size: int) -> int:
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self.bytes(size), "big")

    def boxes(self) -> Iterator[_Box]:
        """The boxes from here to the end of this one."""
        while self.position < self.box.stop:
            start = self.position
            size, kind = self.u(4), self.bytes(4)
            if size == 1:
                size = self.u(8)
            stop = start + size if size else self.box.stop
            if stop < self.position or stop > self.box.stop:
                raise InvalidStream(f"HEIF: a box of {size} bytes at byte {start} does not fit what is around it")
            yield _Box(self.box.data, kind, self.position, stop)
            self.position = stop


@dataclass
class _Meta:
    """What is needed of a `meta` box."""

    types: dict[int, bytes] = field(default_factory=dict)
    """Item type by item."""
    protected: set[int] = field(default_factory=set)
    primary: int | None = None
    locations: _Box | None = None
    idat: bytes | None = None
    properties: list[bytes] = field(default_factory=list)
    associations: list[_Box] = field(default_factory=list)


def _primary_code_stream(data: bytes) -> bytes:
    top = _Box(data, b"file", 0, len(data))
    meta = next((_read_meta(box) for box in top.reader.boxes() if box.kind == b"meta"), None)
    if meta is None:
        raise InvalidStream("HEIF: no box 'meta', so no still picture")
    item = meta.primary
    if item is None:
        item = next((item for item, kind in meta.types.items() if kind == ITEM_TYPE), None)
    if item is None or meta.types.get(item) != ITEM_TYPE:
        kind = meta.types.get(item, b"none") if item is not None else b"none"
        raise Unsupported(f"HEIF: the primary item is of type {kind.decode('latin-1')!r}, not 'jaii'")
    if item in meta.protected:
        raise Unsupported("HEIF: the picture is protected")
    changes = [kind for kind in _properties_of(meta, item) if kind in TRANSFORMATIONS]
    if changes:
        raise Unsupported(f"HEIF: the picture has the property {changes[0].decode()!r}")
    return _payload(meta, data, item)


def _read_meta(box: _Box) -> _Meta:
    meta, reader = _Meta(), box.full(1)[0]
    for child in reader.boxes():
        if child.kind == b"pitm":
            fields, version, _ = child.full(2)
            meta.primary = fields.u(4 if version else 2)
        elif child.kind == b"iinf":
            fields, version, _ = child.full(2)
            fields.u(4 if version else 2)  # the number of entries: there are as many as there are boxes
            _read_item_infos(fields, meta)
        elif child.kind == b"iloc":
            meta.locations = child
        elif child.kind == b"idat":
            meta.idat = child.data[child.start : child.stop]
        elif child.kind == b"iprp":
            for part in child.reader.boxes():
                if part.kind == b"ipco":
                    meta.properties = [each.kind for each in part.reader.boxes()]
                elif part.kind == b"ipma":
                    meta.associations.append(part)
    return meta


def _read_item_infos(reader: _Reader, meta: _Meta) -> None:
    for info in reader.boxes():
        fields = info.reader
        version = fields.u(1)
        fields.u(3)
        if info.kind != b"infe" or version < 2:
            continue  # entries of the first versions name no item type
        item = fields.u(4 if version > 2 else 2)
        if fields.u(2):
            meta.protected.add(item)
        meta.types[item] = fields.bytes(4)


def _properties_of(meta: _Meta, item: int) -> Iterator[bytes]:
    """The kinds of the properties that belong to an item."""
    for box in meta.associations:
        reader, version, flags = box.full(2)
        for _ in range(reader.u(4)):
            owner = reader.u(4 if version else 2)
            for _ in range(reader.u(1)):
                # The first bit says whether the property is essential.
                index = reader.u(2) & 0x7FFF if flags & 1 else reader.u(1) & 0x7F
                if owner == item and 0 < index <= len(meta.properties):
                    yield meta.properties[index - 1]


def _payload(meta: _Meta, data: bytes, item: int) -> bytes:
    """The bytes of an item, from its extents."""
    if meta.locations is None:
        raise InvalidStream("HEIF: no box 'iloc'")
    reader, version, _ = meta.locations.full(3)
    sizes, more = reader.u(1), reader.u(1)
    offset_size, length_size, base_size, index_size = sizes >> 4, sizes & 15, more >> 4, more & 15 if version else 0
    if any(size not in (0, 4, 8) for size in (offset_size, length_size, base_size, index_size)):
        raise InvalidStream(f"HEIF: {reader.place} has offsets that are not of 0, 4 or 8 bytes")
    for _ in range(reader.u(4 if version > 1 else 2)):
        owner = reader.u(4 if version > 1 else 2)
        method = reader.u(2) & 15 if version else IN_FILE
        elsewhere = reader.u(2)
        base = reader.u(base_size)
        extents, count = [], reader.u(2)
        if count > 1 and not offset_size + length_size + index_size:
            raise InvalidStream(f"HEIF: {reader.place} has {count} extents of no bytes")
        for _ in range(count):
            reader.u(index_size)
            extents.append((base + reader.u(offset_size), reader.u(length_size)))
        if owner == item:
            if elsewhere or method not in (IN_FILE, IN_IDAT):
                raise Unsupported("HEIF: the picture is in another file or item")
            return _joined(extents, data if method == IN_FILE else meta.idat or b"")
    raise InvalidStream(f"HEIF: {reader.place} does not locate item {item}")


def _joined(extents: list[tuple[int, int]], source: bytes) -> bytes:
    """The extents one after the other; a length of 0 is all that follows."""
    parts, total = [], 0
    for offset, length in extents:
        length = length or len(source) - offset
        total += length
        if length < 0 or offset + length > len(source):
            raise InvalidStream(f"HEIF: truncated: an extent ends at byte {offset + length}, there are {len(source)}")
        if total > len(source):
            raise InvalidStream("HEIF: the extents of the picture overlap")
        parts.append(source[offset : offset + length])
    return b"".join(parts)
