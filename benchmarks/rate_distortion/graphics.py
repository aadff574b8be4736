"""A small set of screen pictures, drawn from nothing: `python -m benchmarks.rate_distortion.graphics FOLDER`.

Text, a user interface, a chart, pixel art, line drawing and gradients: what learned codecs are weakest at. Every
picture is a function of this file and of Pillow's version (its built-in font and its drawing).
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = (640, 448)
"""Width, height."""
WORDS = (
    "the codec keeps every integer exact while networks may round a little so pictures agree on all "
    "devices bytes rows tables scale gain latent window memory phone screen letter line margin colour "
    "grey sharp edge"
)
SPRITE = (
    "..aaaa..", ".abbbba.", "abcbbcba", "abbbbbba", "abcbbcba", "abbccbba", ".abbbba.", "..a..a..",
)  # fmt: skip


def text() -> Image.Image:
    """A page of running text in several sizes, dark on light and light on dark."""
    image, draw = _canvas("#fdfdfb")
    words, top = random.Random(1), 14
    draw.rectangle((SIZE[0] // 2 + 8, 0, *SIZE), fill="#15202b")
    for size in (26, 18, 15, 13, 12, 11, 10, 9, 9, 9, 10, 12, 14):
        for column, colour in ((16, "#111111"), (SIZE[0] // 2 + 22, "#e8edf2")):
            line, font = "", ImageFont.load_default(size)
            while font.getlength(line) < SIZE[0] // 2 - 90:
                line += words.choice(WORDS.split()) + " "
            draw.text((column, top), line.strip().capitalize(), fill=colour, font=font)
        top += round(size * 1.75) + 8
    return image


def interface() -> Image.Image:
    """A window with a side bar, buttons, a table and icons."""
    image, draw = _canvas("#f3f4f6")
    draw.rectangle((0, 0, SIZE[0], 38), fill="#1f2937")
    draw.text((14, 10), "Pictures - 24 items", fill="white", font=ImageFont.load_default(15))
    for index, colour in enumerate(("#ef4444", "#f59e0b", "#10b981")):
        draw.ellipse((SIZE[0] - 80 + 24 * index, 12, SIZE[0] - 66 + 24 * index, 26), fill=colour)
    draw.rectangle((0, 38, 150, SIZE[1]), fill="#e5e7eb")
    for index, label in enumerate(("Library", "Recent", "Albums", "Shared", "Archive", "Settings")):
        top = 52 + 34 * index
        if index == 1:
            draw.rounded_rectangle((8, top - 6, 142, top + 22), 6, fill="#2563eb")
        draw.rectangle((18, top, 32, top + 14), outline="#374151", width=2)
        draw.text((42, top), label, fill="white" if index == 1 else "#374151", font=ImageFont.load_default(13))
    sizes = random.Random(2)
    for row in range(12):
        top = 96 + 26 * row
        draw.rectangle((162, top, SIZE[0] - 12, top + 25), fill="#ffffff" if row % 2 else "#f9fafb", outline="#d1d5db")
        cells = (
            f"IMG_{4210 + 7 * row}.jai",
            f"{sizes.randint(90, 999)} kB",
            f"{sizes.randint(1, 28)} May",
            "768 x 512",
        )
        for left, cell in zip((172, 330, 430, 530), cells, strict=True):
            draw.text((left, top + 6), cell, fill="#111827", font=ImageFont.load_default(12))
    for index, label in enumerate(("Import", "Export", "Delete")):
        left = 162 + 100 * index
        draw.rounded_rectangle(
            (left, 52, left + 88, 82), 7, fill=("#2563eb", "#ffffff", "#ffffff")[index], outline="#9ca3af"
        )
        draw.text((left + 22, 60), label, fill=("white", "#111827", "#b91c1c")[index], font=ImageFont.load_default(13))
    return image


def chart() -> Image.Image:
    """Bars and lines with axes, grid and labels in saturated colours."""
    image, draw = _canvas("white")
    font, values = ImageFont.load_default(12), random.Random(3)
    for step in range(9):
        top = 40 + 44 * step
        draw.line((60, top, SIZE[0] - 20, top), fill="#dddddd")
        draw.text((26, top - 7), f"{80 - 10 * step}", fill="black", font=font)
    for bar in range(16):
        left, height = 74 + 34 * bar, values.randint(40, 330)
        draw.rectangle((left, 392 - height, left + 10, 392), fill="#d62728")
        draw.rectangle((left + 12, 392 - height * 2 // 3, left + 22, 392), fill="#1f77b4", outline="#0b3d62")
        draw.text((left + 4, 398), f"{bar + 1}", fill="black", font=font)
    for colour, phase in (("#2ca02c", 0.0), ("#ff7f0e", 1.4), ("#9467bd", 3.0)):
        points = [(70 + 2 * x, 200 - 110 * math.sin(x / 37 + phase) * math.exp(-x / 400)) for x in range(270)]
        draw.line(points, fill=colour, width=2)
    draw.line((60, 30, 60, 392, SIZE[0] - 20, 392), fill="black", width=2)
    draw.text((200, 8), "Rate by month, thousand bits", fill="black", font=ImageFont.load_default(17))
    return image


def pixel_art() -> Image.Image:
    """Sprites of square pixels on tiles."""
    tiles, colours = Image.new("RGB", (SIZE[0] // 4, SIZE[1] // 4), "#5c94fc"), random.Random(4)
    draw = ImageDraw.Draw(tiles)
    for left in range(0, tiles.width, 8):
        for top in range(80, tiles.height, 8):
            draw.rectangle((left, top, left + 7, top + 7), fill="#c84c0c", outline="#000000")
            draw.line((left + 1, top + 1, left + 6, top + 1), fill="#fcbcb0")
    for _ in range(26):
        left, top = colours.randrange(0, tiles.width - 8, 4), colours.randrange(2, 70, 3)
        palette = {"a": "#000000", "b": f"hsl({colours.randrange(0, 360, 20)}, 85%, 55%)", "c": "#ffffff"}
        for row, line in enumerate(SPRITE):
            for column, key in enumerate(line):
                if key in palette:
                    draw.point((left + column, top + row), fill=palette[key])
    return tiles.resize(SIZE, Image.Resampling.NEAREST)


def line_drawing() -> Image.Image:
    """Thin black lines: hatching, circles, a fan and a plan."""
    image, draw = _canvas("white")
    for index in range(40):
        draw.line((20 + 7 * index, 20, 20 + 3 * index, 210), fill="black")
    for radius in range(6, 100, 6):
        draw.ellipse((460 - radius, 115 - radius, 460 + radius, 115 + radius), outline="black")
    for degrees in range(0, 180, 4):
        angle = math.radians(degrees)
        draw.line((160, 430, 160 + 190 * math.cos(angle), 430 - 190 * math.sin(angle)), fill="black")
    lengths = random.Random(5)
    for _ in range(24):
        left, top = lengths.randint(370, 560), lengths.randint(240, 390)
        draw.rectangle((left, top, left + lengths.randint(15, 60), top + lengths.randint(12, 45)), outline="black")
    return image


def gradients() -> Image.Image:
    """Smooth ramps of all hues, where steps would show, beside flat fields with hard edges."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width] / np.array((height, width)).reshape(2, 1, 1)
    waves = [0.5 + 0.5 * np.cos(2 * math.pi * (x * (1 + index) / 2 + y / (2 + index))) for index in range(3)]
    samples = np.stack(waves, axis=2)
    samples[height // 2 :, : width // 2] = (x * 0.25 + 0.1)[height // 2 :, : width // 2, None]
    image = Image.fromarray(np.round(samples * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for index, colour in enumerate(("#ff0000", "#00ff00", "#0000ff", "#ffff00", "#00ffff", "#ff00ff")):
        left = width // 2 + 24 + 46 * index
        draw.rectangle((left, height - 150, left + 45, height - 30), fill=colour)
    return image


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "text": text,
    "interface": interface,
    "chart": chart,
    "pixel_art": pixel_art,
    "line_drawing": line_drawing,
    "gradients": gradients,
}


def write_pictures(folder: Path) -> None:
    """All pictures as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        draw().save(folder / f"{name}.png")


def _canvas(colour: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", SIZE, colour)
    return image, ImageDraw.Draw(image)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rate_distortion.graphics", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folder", type=Path)
    write_pictures(parser.parse_args().folder)


if __name__ == "__main__":
    main()
