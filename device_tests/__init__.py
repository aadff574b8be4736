"""The same bits on every device: traces of the entropy stage, targets to make them on, comparison and report."""
