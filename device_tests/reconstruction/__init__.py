"""Traces of the reconstruction stage: networks on LiteRT, compared with tolerances, not bit for bit."""
