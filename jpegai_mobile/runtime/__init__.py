"""The reconstruction stage: bundle, network runner, and the pipeline from symbols to planes."""
