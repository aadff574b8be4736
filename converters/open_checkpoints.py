"""Which form of checkpoints a path holds."""

from __future__ import annotations

from pathlib import Path

from .checkpoint import Checkpoints, CheckpointTree
from .onnx_export import OnnxExport
from .packed_checkpoint import PackedCheckpoint


def open_checkpoints(path: Path, *more: Path) -> Checkpoints:
    """A checkpoint tree, an ONNX export, or packed checkpoints of one tree. Raises BundleError when it is none."""
    if more or path.is_file():
        return PackedCheckpoint(path, *more)
    return OnnxExport(path) if OnnxExport.is_at(path) else CheckpointTree(path)
