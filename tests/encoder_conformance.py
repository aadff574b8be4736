"""Our streams beside the reference encoder's, for every conformance stream that comes with its source picture.

python -m tests.encoder_conformance        # prints the table of docs/encoding.md
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from PIL import Image

from jpegai_mobile import Decoder, EncodeOptions, Encoder, open_bundle
from jpegai_mobile.codestream.picture_header import SYNTHESIS_TRANSFORMS
from jpegai_mobile.codestream.stream import read_code_stream, write_code_stream
from jpegai_mobile.encoder.pictures import SourcePicture, picture_from_bytes
from jpegai_mobile.image.layout import PictureLayout
from jpegai_mobile.image.output import write_picture
from picture_quality.metrics import psnr

from .encoding import conformance_bundle_path
from .vectors import CONFORMANCE

STREAMS = CONFORMANCE / "streams"


def names() -> list[str]:
    """Streams whose source picture is stored."""
    return sorted(path.parent.name for path in STREAMS.glob("*/input.png"))


@cache
def codec() -> tuple[Encoder, Decoder]:
    bundle = open_bundle(conformance_bundle_path())
    return Encoder(bundle), Decoder(bundle)


def samples(data: bytes) -> np.ndarray:
    decoded, output = codec()[1].decode(data), io.BytesIO()
    write_picture(output, decoded.planes, PictureLayout.of(decoded.stream.picture), "npy")
    output.seek(0)
    return np.load(output)


@dataclass(frozen=True)
class Comparison:
    """A conformance stream, and its picture coded by us with the same model, rate and tools."""

    name: str

    @cached_property
    def theirs(self) -> bytes:
        return (STREAMS / self.name / "stream.jai").read_bytes()

    @cached_property
    def source(self) -> SourcePicture:
        return picture_from_bytes((STREAMS / self.name / "input.png").read_bytes(), self.name)

    @cached_property
    def ours(self) -> bytes:
        """What a caller cannot ask for (a hidden border, certain cubes, metadata) is taken over from their headers."""
        reference = read_code_stream(self.theirs)
        picture = reference.picture
        options = EncodeOptions(
            model=picture.model_id,
            beta_displacement=picture.beta_displacement_log(0),
            operating_point=SYNTHESIS_TRANSFORMS[picture.synthesis_transform_id[0]],
            level=picture.level_idc,
            chroma=picture.coded_subsampling,
            cube_flags=False,
            model_mark=False,
        )
        coding = codec()[0].prepare(self.source, options)
        coding.header.diff_display_img_height = picture.diff_display_img_height
        coding.header.diff_display_img_width = picture.diff_display_img_width
        for own, other in zip(coding.header.components, picture.components, strict=True):
            own.use_cube_flags = other.use_cube_flags
            own.cube_group_flag, own.cube_flag = other.cube_group_flag, other.cube_flag
        stream = read_code_stream(coding.encode().data)
        stream.user_data, stream.rendering = reference.user_data, reference.rendering
        return write_code_stream(stream)

    @property
    def length(self) -> float:
        """Ours relative to theirs, less one."""
        return len(self.ours) / len(self.theirs) - 1

    @cached_property
    def quality(self) -> tuple[float, float]:
        """PSNR of theirs (the stored picture) and of ours, over all displayed samples."""
        with Image.open(STREAMS / self.name / "decoded.png") as image:
            decoded = np.asarray(image)
        displayed = self.source.samples[: decoded.shape[0], : decoded.shape[1]]
        return psnr(decoded, displayed), psnr(samples(self.ours), displayed)

    @property
    def identical(self) -> bool:
        return self.ours == self.theirs


def table() -> str:
    """Markdown."""
    lines = [
        "| stream | bytes, reference | bytes, ours | PSNR, reference | PSNR, ours | byte-identical |",
        "|---|---|---|---|---|---|",
    ]
    for name in names():
        each = Comparison(name)
        theirs, ours = each.quality
        verdict = "yes" if each.identical else f"no ({100 * each.length:+.2f} %)"
        lines.append(f"| {name} | {len(each.theirs)} | {len(each.ours)} | {theirs:.3f} | {ours:.3f} | {verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
