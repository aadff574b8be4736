"""Recipes: how a network is stored in a precision, as a short text that bundles keep.

    recipe  = word { " " word }, words in the order below, those at their defaults left out but the first
    word    = "weights=" ("float32" | "float16" | "int8")       weights of what computes in float32; default float32
            | "activations=" ("none" | "masks" | "inner" | "all") what computes in int8; default none
            | "ranges=" ("minmax" | "mse")                       choice of int8 grids; default minmax
            | "latents=" number in 0..1                          power of the latents' equalisation; default 0
            | "products=" number in 0..1                         power of the products' equalisation; default 0
            | "margin=" number in 1..4                           int8 grids are this much wider than found; default 1
            | "rounding=" ("nearest" | "feedback")               of int8 weights; default nearest

`masks` are the branches that activations (ResAU) multiply the trunk with, `inner` is all but the last convolution
and the product that it reads; for equalisation see equalisation.py.
Grids that the network gives (relu6, samples) and those of the latents have no margin. Int8 weights are symmetric
with one scale per output channel; what computes in int8 always has them. For `feedback` see rounding.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from jpegai_mobile.networks.catalogue import NetworkKey

from ..errors import ConversionError
from .ranges import RANGES

WEIGHTS = ("float32", "float16", "int8")
ACTIVATIONS = ("none", "masks", "inner", "all")
ROUNDINGS = ("nearest", "feedback")
CALIBRATED = ("hyper_decoder", "context_model", "synthesis")
"""Networks that calibration samples have the inputs of."""


@dataclass(frozen=True)
class Recipe:
    """A parsed recipe."""

    weights: str = "float32"
    activations: str = "none"
    ranges: str = "minmax"
    latents: float = 0.0
    products: float = 0.0
    margin: float = 1.0
    rounding: str = "nearest"

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """The recipe that `text` says. Raises ConversionError, naming the word that is wrong."""
        values: dict[str, str] = {}
        for word in text.split():
            name, _, value = word.partition("=")
            if name not in (each.name for each in fields(cls)) or name in values:
                raise ConversionError(f"recipe {text!r}: {word!r} is unknown or there twice")
            values[name] = value
        default = cls()
        recipe = cls(
            values.get("weights", default.weights),
            values.get("activations", default.activations),
            values.get("ranges", default.ranges),
            _number(text, values.get("latents", "0"), 0, 1),
            _number(text, values.get("products", "0"), 0, 1),
            _number(text, values.get("margin", "1"), 1, 4),
            values.get("rounding", default.rounding),
        )
        for value, known in (
            (recipe.weights, WEIGHTS),
            (recipe.activations, ACTIVATIONS),
            (recipe.ranges, tuple(RANGES)),
            (recipe.rounding, ROUNDINGS),
        ):
            if value not in known:
                raise ConversionError(f"recipe {text!r}: {value!r} is none of {', '.join(known)}")
        return recipe

    def __str__(self) -> str:
        default = Recipe()
        words = [f"weights={self.weights}"]
        words += [
            f"{each.name}={getattr(self, each.name)}"
            for each in fields(self)[1:]
            if getattr(self, each.name) != getattr(default, each.name)
        ]
        return " ".join(words)

    @property
    def needs_samples(self) -> bool:
        """Whether ranges of activations are to be found, or errors of weights to be weighed."""
        return self.activations != "none" or self.rounding != "nearest"


def _number(text: str, value: str, low: int, high: int) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise ConversionError(f"recipe {text!r}: {value!r} is no number") from error
    if not low <= number <= high:
        raise ConversionError(f"recipe {text!r}: {value} is not in {low}..{high}")
    return number


INT8_WEIGHTS = Recipe("int8", rounding="feedback")
_UNCALIBRATED = Recipe("int8")
"""Of networks that calibration does not run: those of the encoder and of post-filters, and the large ones of HOP."""
_INT8_MASKS = Recipe("int8", "masks", "mse", rounding="feedback")
_HYPER_DECODER = Recipe("int8", "all", margin=1.25, rounding="feedback")
_INT8 = {
    # The last product has tails, which cost SOP more than an int8 convolution after it would save.
    ("y", "sop"): Recipe("int8", "inner", "mse", latents=0.75, products=0.75, rounding="feedback"),
    ("y", "bop"): Recipe("int8", "all", "mse", latents=0.75, products=0.75, rounding="feedback"),
    # Chroma begins with a concatenation, which takes up no factors. Few pictures have vivid colours; ranges that
    # cut off what is rare would spoil those.
    ("uv", "sop"): Recipe("int8", "inner", "minmax", products=0.75, rounding="feedback"),
    ("uv", "bop"): Recipe("int8", "all", "minmax", products=0.75, rounding="feedback"),
}
_DRAWN_MARGIN = 1.5
"""For chroma calibrated without pictures: noise has no vivid colours."""


def recipe_of(topology: NetworkKey, precision: str, drawn: bool = False) -> Recipe:
    """The recipe of a network in a precision; `drawn` where it is calibrated without pictures.

    Int8 activations are for SOP and BOP synthesis and, in `int8`, the hyper decoder. The context model loses too
    much for what it gains; other networks have none of the structure. Those get int8 weights.
    """
    network, component, operating_point = topology
    if precision in ("float32", "float16"):
        return Recipe(precision)
    if network not in CALIBRATED or operating_point == "hop":
        return _UNCALIBRATED
    if network == "hyper_decoder" and precision == "int8":
        return _HYPER_DECODER
    if operating_point is None or precision == "int8w":
        return INT8_WEIGHTS
    if precision == "int8mixed":
        return _INT8_MASKS
    recipe = _INT8[component, operating_point]
    return replace(recipe, margin=_DRAWN_MARGIN) if drawn and component == "uv" else recipe
