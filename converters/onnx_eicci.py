"""An eICCI network as the reference software exports it to ONNX.

The exporter folds a batch normalisation into the convolution before it, under a name of its own making, wherever that
convolution feeds nothing else. So parameters are found by what the operators do, backwards from the last convolutions,
which keep their names; a normalisation that was folded away comes back as one that changes nothing. The path to U and
the path to V both hold the layers that these planes share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jpegai_mobile.networks.graph import BatchNorm

from .onnx_model import Array, OnnxModel, Operator

Tensors = dict[str, Array]


@dataclass(frozen=True)
class _Path:
    """The names in a checkpoint of what leads to a plane."""

    last: str
    scale: str
    first: str
    norm: str
    hidden: str


_PATHS = (
    _Path("conv_last_Y", "scaleY", "conv_first_Y", "BNY", "hidden_layer_Y"),
    _Path("conv_last_u", "scaleU", "conv_firstUV", "BNUV", "hidden_layer_UV"),
    _Path("conv_last_v", "scaleV", "conv_firstUV", "BNUV", "hidden_layer_UV"),
)
_NORM = ("weight", "bias", "running_mean", "running_var")


def eicci_tensors(data: bytes) -> Tensors:
    """The tensors of an exported network by their checkpoint names. Raises ValueError for any other ONNX file."""
    model = OnnxModel(data)
    tensors: Tensors = {}
    for path in _PATHS:
        for name, array in _Reader(model, path).tensors():
            known = tensors.setdefault(name, array)
            if known is not array and not np.array_equal(known, array):
                raise ValueError(f"tensor {name!r} is another one on the way to U than on that to V")
    return tensors


class _Reader:
    """Walks from the last convolution of a path back to its first one."""

    def __init__(self, model: OnnxModel, path: _Path) -> None:
        self._model = model
        self._path = path

    def tensors(self) -> Iterator[tuple[str, Array]]:
        path = self._path
        last = self._only("Conv", f"{path.last}.weight")
        yield from self._convolution(last, path.last)
        yield path.scale, self._factor(self._only("Mul", last.outputs[0]))[1]
        tensor = last.inputs[0]
        blocks: list[Operator] = []
        while (adding := self._model.maker(tensor)) is not None and adding.kind == "Add":
            if len(blocks) == len(self._model.operators):
                raise ValueError(f"the way to {path.last} goes round in a circle")
            blocks.append(adding)
            tensor = self._split(adding)[0]
        for number, adding in enumerate(reversed(blocks)):
            yield from self._block(adding, f"{path.hidden}.{number}")
        yield from self._normalised(self._made_by("Relu", tensor).inputs[0], path.first, path.norm)[1]

    def _block(self, adding: Operator, name: str) -> Iterator[tuple[str, Array]]:
        """x + scale * conv2(relu(conv1(x))), convolutions with normalisation."""
        x, product = self._split(adding)
        scaled, factor = self._factor(product)
        yield f"{name}.scale", factor
        inner, tensors = self._normalised(scaled, f"{name}.conv2", f"{name}.BN2")
        yield from tensors
        source, tensors = self._normalised(self._made_by("Relu", inner).inputs[0], f"{name}.conv1", f"{name}.BN1")
        yield from tensors
        if source != x:
            raise ValueError(f"{name} adds something else than it reads")

    def _split(self, adding: Operator) -> tuple[str, Operator]:
        """What a block reads, and the product that it adds to it."""
        for x, other in (adding.inputs, adding.inputs[::-1]) if len(adding.inputs) == 2 else ():
            product = self._model.maker(other)
            if product is not None and product.kind == "Mul":
                return x, product
        raise ValueError(f"a sum on the way to {self._path.last} has no product in it")

    def _factor(self, product: Operator) -> tuple[str, Array]:
        """The tensor and the constant of a product of both."""
        for tensor, name in (product.inputs, product.inputs[::-1]) if len(product.inputs) == 2 else ():
            factor = self._model.constant(name)
            if factor is not None:
                return tensor, factor.reshape(-1)
        raise ValueError(f"a product on the way to {self._path.last} has no constant factor")

    def _normalised(self, tensor: str, name: str, norm: str) -> tuple[str, list[tuple[str, Array]]]:
        """What a convolution reads whose normalised result is `tensor`, and the parameters of both."""
        parameters: Sequence[Array] | None = None
        maker = self._model.maker(tensor)
        if maker is not None and maker.kind == "BatchNormalization":
            parameters = [self._constant(maker, index) for index in range(1, 5)]
            tensor = maker.inputs[0]
        convolution = self._made_by("Conv", tensor)
        tensors = list(self._convolution(convolution, name))
        if parameters is None:
            parameters = _no_normalisation(self._constant(convolution, 2).size)
        tensors += [(f"{norm}.{part}", array) for part, array in zip(_NORM, parameters, strict=True)]
        return convolution.inputs[0], tensors

    def _convolution(self, operator: Operator, name: str) -> Iterator[tuple[str, Array]]:
        yield f"{name}.weight", self._constant(operator, 1)
        yield f"{name}.bias", self._constant(operator, 2)

    def _constant(self, operator: Operator, index: int) -> Array:
        name = operator.inputs[index] if index < len(operator.inputs) else ""
        array = self._model.constant(name)
        if array is None:
            raise ValueError(f"{operator.kind} on the way to {self._path.last} lacks the constant {name[:80]!r}")
        return array

    def _made_by(self, kind: str, tensor: str) -> Operator:
        operator = self._model.maker(tensor)
        if operator is None or operator.kind != kind or not operator.inputs:
            found = "nothing" if operator is None else operator.kind[:40]
            raise ValueError(f"{found} makes {tensor[:80]!r} on the way to {self._path.last}, where {kind} belongs")
        return operator

    def _only(self, kind: str, tensor: str) -> Operator:
        """The one operator of a kind that reads a tensor."""
        found = [operator for operator in self._model.operators if operator.kind == kind and tensor in operator.inputs]
        if len(found) != 1:
            raise ValueError(f"{len(found)} operators {kind} read {tensor[:80]!r}, not one")
        return found[0]


def _no_normalisation(channels: int) -> list[NDArray[np.float32]]:
    """Weight, bias, mean and variance of a batch normalisation that leaves float32 numbers as they are."""
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    return [ones, zeros, zeros, ones - np.float32(BatchNorm.epsilon)]
