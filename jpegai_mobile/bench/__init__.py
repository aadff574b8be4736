"""Measuring decodes: time per stage, memory of a fresh process, and how results are written down."""
