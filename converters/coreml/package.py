"""Files of a Core ML package: a folder with a list of its parts, the model and the weights.

What coremltools puts into a package that differs from one conversion to the next is put in order here: the
random identifiers of the parts, the date, and the order of entries in the serialised maps.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import coremltools as ct  # type: ignore[import,unused-ignore]

_AUTHOR = "com.apple.CoreML"
_MODEL = f"{_AUTHOR}/model.mlmodel"
_WEIGHTS = f"{_AUTHOR}/weights"
_WEIGHT_FILE = f"{_WEIGHTS}/weight.bin"
_DATE = "com.github.apple.coremltools.conversion_date"


def package_files(
    program: Any,
    input_types: list[Any] | None,
    target: Any,
    description: str,
    descriptions: Mapping[str, str],
) -> dict[str, bytes]:
    """The files of the package of a MIL program, by their path in the package.

    The program is stored as it is: no pass of coremltools changes its operations or types. The texts describe
    the network and, by name, its inputs and outputs.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        model = ct.convert(
            program,
            inputs=input_types,
            convert_to="mlprogram",
            minimum_deployment_target=target,
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
            package_dir=f"{folder}/network.mlpackage",
        )
        specification = model.get_spec()
        weights = (Path(folder) / "network.mlpackage/Data" / _WEIGHT_FILE).read_bytes()
    specification.description.metadata.shortDescription = description
    for feature in (*specification.description.input, *specification.description.output):
        feature.shortDescription = descriptions.get(feature.name, "")
    del specification.description.metadata.userDefined[_DATE]
    return {
        "Manifest.json": _manifest(),
        f"Data/{_MODEL}": specification.SerializeToString(deterministic=True),
        f"Data/{_WEIGHT_FILE}": weights,
    }


def _manifest() -> bytes:
    """Manifest.json: what the parts are for; every package has the same two."""
    parts = {
        str(uuid5(NAMESPACE_URL, path)): {
            "author": _AUTHOR,
            "description": f"CoreML Model {what}",
            "name": path.removeprefix(f"{_AUTHOR}/"),
            "path": path,
        }
        for path, what in ((_MODEL, "Specification"), (_WEIGHTS, "Weights"))
    }
    document = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": parts,
        "rootModelIdentifier": str(uuid5(NAMESPACE_URL, _MODEL)),
    }
    return (json.dumps(document, indent=4, sort_keys=True) + "\n").encode()
