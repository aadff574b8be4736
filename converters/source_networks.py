"""Which networks a model has, and in which checkpoint file each of them lies."""

from __future__ import annotations

from collections.abc import Sequence

from jpegai_mobile.networks.catalogue import BUILDERS
from jpegai_mobile.networks.catalogue import NetworkKey as Topology

from .checkpoint import (
    EICCI_BANK,
    Checkpoints,
    analysis_name,
    common_name,
    eicci_name,
    synthesis_name,
)

PARTS = {
    "decoder": ("hyper_decoder", "context_model", "synthesis"),
    "encoder": ("analysis", "hyper_encoder"),
}
"""Part of the codec -> its networks."""


def topologies(parts: Sequence[str], operating_points: Sequence[str]) -> list[Topology]:
    """The networks of these parts: those common to all operating points, and those of the points given."""
    wanted = [network for part in parts for network in PARTS[part]]
    return [
        (network, component, point)
        for network, component, point in BUILDERS
        if network in wanted and (point is None or point in operating_points)
    ]


def checkpoint_name(topology: Topology, model: int) -> str:
    """The file of the reference's checkpoint tree that holds the parameters of a network."""
    network, component, point = topology
    if network == "synthesis" and point is not None:
        return synthesis_name(point, component, model)
    if network == "analysis":
        return analysis_name(component, model)
    return common_name(component, model)


def eicci_networks(source: Checkpoints, operating_points: Sequence[str]) -> list[tuple[str, int]]:
    """(bank, index) of the eICCI networks that a tree has for these operating points; they are optional."""
    folder = source.eicci_folder
    if folder is None:
        return []
    banks = sorted({"hop" if point == "hop" else "bop" for point in operating_points})
    return [
        (bank, index)
        for bank in banks
        for index in range(len(EICCI_BANK))
        if source.holds(eicci_name(folder, bank, index))
    ]
