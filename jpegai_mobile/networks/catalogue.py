"""The list of all networks: which exist, and the graph of each by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from . import (
    analysis_bop,
    context_model,
    eicci,
    hyper_decoder,
    hyper_encoder,
    synthesis_bop,
    synthesis_hop,
    synthesis_sop,
)
from .graph import Graph

NetworkKey = tuple[str, str, str | None]
"""(network, component `y` or `uv`, operating point of a synthesis transform or None)."""

BUILDERS: dict[NetworkKey, Callable[[], Graph]] = {
    ("hyper_decoder", "y", None): partial(hyper_decoder.build, "y"),
    ("hyper_decoder", "uv", None): partial(hyper_decoder.build, "uv"),
    ("context_model", "y", None): context_model.build,
    ("synthesis", "y", "sop"): synthesis_sop.build_luma,
    ("synthesis", "uv", "sop"): synthesis_sop.build_chroma,
    ("synthesis", "y", "bop"): synthesis_bop.build_luma,
    ("synthesis", "uv", "bop"): synthesis_bop.build_chroma,
    ("synthesis", "y", "hop"): synthesis_hop.build_luma,
    ("synthesis", "uv", "hop"): synthesis_hop.build_chroma,
    ("analysis", "y", None): analysis_bop.build_luma,
    ("analysis", "uv", None): analysis_bop.build_chroma,
    ("hyper_encoder", "y", None): partial(hyper_encoder.build, "y"),
    ("hyper_encoder", "uv", None): partial(hyper_encoder.build, "uv"),
    ("eicci", "y", None): eicci.build_luma,
    ("eicci", "uv", None): eicci.build_chroma,
}


def build(network: str, component: str, operating_point: str | None = None) -> Graph:
    """The graph of a network; only `synthesis` has operating points. Raises KeyError for an unknown one."""
    return BUILDERS[network, component, operating_point]()
