"""Code streams inside HEIF files: found by their item, and refused when they are damaged or need more of HEIF."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import jpegai_mobile
from jpegai_mobile import InvalidStream, Unsupported, pillow_plugin
from jpegai_mobile.cli.main import main
from jpegai_mobile.codestream.heif import code_stream_of

from .encoding import own_bundle_path
from .vectors import ROOT

STREAM = (ROOT / "examples" / "kodim07.jai").read_bytes()
PAYLOAD = b"\xff\x80 not looked at here \xff\x81"


def box(kind: str, *content: bytes) -> bytes:
    payload = b"".join(content)
    return struct.pack(">I", 8 + len(payload)) + kind.encode() + payload


def full(kind: str, version: int, *content: bytes, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def info(item: int, kind: str, protection: int = 0, version: int = 2) -> bytes:
    return full("infe", version, struct.pack(">IH" if version > 2 else ">HH", item, protection), kind.encode(), b"\0")


def location(item: int, method: int, extents: list[tuple[int, int]], base: int = 0, elsewhere: int = 0) -> bytes:
    """An entry of iloc version 1 with 4-byte numbers."""
    entry = struct.pack(">HHHIH", item, method, elsewhere, base, len(extents))
    return entry + b"".join(struct.pack(">II", *extent) for extent in extents)


def iloc(*entries: bytes) -> bytes:
    return full("iloc", 1, b"\x44\x40", struct.pack(">H", len(entries)), *entries)


def meta(*boxes: bytes, items: tuple[bytes, ...] = (info(7, "jaii"),), primary: int | None = 7) -> bytes:
    pitm = b"" if primary is None else full("pitm", 0, struct.pack(">H", primary))
    handler = full("hdlr", 0, bytes(4), b"pict", bytes(13))
    return full("meta", 0, handler, pitm, full("iinf", 0, struct.pack(">H", len(items)), *items), *boxes)


def in_idat(payload: bytes, **choices: object) -> bytes:
    parts = iloc(location(7, 1, [(0, len(payload))])), box("idat", payload)
    return box("ftyp", b"mif1", bytes(4), b"mif1") + meta(*parts, **choices)  # type: ignore[arg-type]


def in_mdat(payload: bytes) -> bytes:
    """In two extents of another box, the second one up to the end of the file."""
    head = box("ftyp", b"mif1", bytes(4), b"mif1")
    half = len(payload) // 2

    def boxes(start: int) -> bytes:
        return meta(iloc(location(3, 0, []), location(7, 0, [(0, half), (half, 0)], base=start)))

    start = len(head) + len(boxes(0)) + 16
    return head + boxes(start) + struct.pack(">I4sQ", 1, b"mdat", 16 + len(payload)) + payload


def test_payloads_are_found() -> None:
    assert code_stream_of(PAYLOAD) == PAYLOAD
    for file in (in_idat(PAYLOAD), in_mdat(PAYLOAD), in_idat(PAYLOAD, primary=None)):
        assert code_stream_of(file) == PAYLOAD
    items = (info(1, "Exif"), info(2, "jaii", version=3), info(7, "jaii"))
    assert code_stream_of(in_idat(PAYLOAD, items=items)) == PAYLOAD


def test_turned_pictures_are_refused() -> None:
    def with_property(kind: str, owner: int) -> bytes:
        properties = box("ipco", box("ispe", bytes(12)), box(kind, b"\1"))
        association = full("ipma", 0, struct.pack(">IHBBB", 1, owner, 2, 1, 0x82))
        file = in_idat(PAYLOAD)
        parts = iloc(location(7, 1, [(0, len(PAYLOAD))])), box("idat", PAYLOAD), box("iprp", properties, association)
        return file[:20] + meta(*parts)

    assert code_stream_of(with_property("irot", 8)) == PAYLOAD
    assert code_stream_of(with_property("pixi", 7)) == PAYLOAD
    with pytest.raises(Unsupported, match="property 'irot'"):
        code_stream_of(with_property("irot", 7))


@pytest.mark.parametrize(
    ("file", "error", "reason"),
    [
        (in_idat(PAYLOAD, items=(info(7, "grid"),)), Unsupported, "of type 'grid', not 'jaii'"),
        (in_idat(PAYLOAD, primary=9), Unsupported, "of type 'none'"),
        (in_idat(PAYLOAD, items=(info(7, "jaii", protection=1),)), Unsupported, "protected"),
        (in_idat(PAYLOAD)[:20], InvalidStream, "no box 'meta'"),
        (in_idat(PAYLOAD)[:20] + meta(), InvalidStream, "no box 'iloc'"),
        (in_idat(PAYLOAD)[:20] + meta(iloc()), InvalidStream, "does not locate item 7"),
        (in_idat(PAYLOAD)[:20] + meta(iloc(location(7, 2, []))), Unsupported, "another file or item"),
        (in_idat(PAYLOAD)[:20] + meta(iloc(location(7, 0, [], elsewhere=1))), Unsupported, "another file or item"),
        (in_idat(PAYLOAD)[:20] + meta(iloc(location(7, 0, [(0, 900)]))), InvalidStream, "ends at byte 900"),
        (in_idat(PAYLOAD)[:20] + meta(iloc(location(7, 0, 9 * [(0, 40)]))), InvalidStream, "overlap"),
        (in_idat(PAYLOAD)[:-3], InvalidStream, "does not fit"),
        (
            in_idat(PAYLOAD)[:20] + meta(full("iloc", 1, bytes(2), struct.pack(">HHHHH", 1, 1, 0, 0, 65535))),
            InvalidStream,
            "65535 extents of no bytes",
        ),
    ],
)
def test_what_is_refused(file: bytes, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=f"^HEIF: .*{reason}[^\n]*$"):
        code_stream_of(file)


def test_damaged_files_give_typed_errors_only() -> None:
    rng = random.Random(0)
    outcomes = set()
    for file in (in_idat(PAYLOAD), in_mdat(PAYLOAD)):
        for _ in range(3000):
            mutated = bytearray(file)
            for _ in range(rng.randint(1, 4)):
                mutated[rng.randrange(8, len(mutated))] = rng.choice((0, 1, 2, 8, 0x7F, 0xFF, rng.randrange(256)))
            try:
                outcomes.add(
                    len(code_stream_of(bytes(mutated[: rng.choice((len(file), rng.randrange(len(file))))]))) > 0
                )
            except (InvalidStream, Unsupported) as error:
                outcomes.add(type(error))
                assert "\n" not in str(error)
    assert outcomes >= {True, InvalidStream, Unsupported}


def test_commands_functions_and_pillow_take_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "photo.jaii"
    path.write_bytes(in_mdat(STREAM))
    assert main(["info", str(path)]) == 0
    from_heif = capsys.readouterr().out
    bare = tmp_path / "photo.jai"
    bare.write_bytes(STREAM)
    assert main(["info", str(bare)]) == 0
    assert capsys.readouterr().out == from_heif
    assert jpegai_mobile.open(path).data == STREAM
    expected = jpegai_mobile.decode(STREAM, own_bundle_path())
    assert np.array_equal(jpegai_mobile.decode(path.read_bytes(), own_bundle_path()), expected)
    pillow_plugin.use_bundle(own_bundle_path())
    try:
        with Image.open(path) as image:
            assert image.format == "JPEGAI" and image.size == expected.shape[1::-1]
        with pytest.raises(UnidentifiedImageError):
            Image.open(io.BytesIO(in_idat(STREAM, items=(info(7, "grid"),))))
    finally:
        pillow_plugin.use_bundle(None)
