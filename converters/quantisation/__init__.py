"""Networks in fewer bits: number grids, calibration on real data, and what turns a recipe into concrete numbers."""
