"""The topology of every network of the standard, written once as data, with a NumPy evaluator as oracle."""
