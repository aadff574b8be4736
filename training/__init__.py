"""Training of the weights that the project ships; nothing else in the project imports it or PyTorch."""
