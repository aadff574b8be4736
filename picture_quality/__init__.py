"""How far pictures are apart, and what that comes to over rates: for benchmarks, training and tests."""
