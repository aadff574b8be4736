"""The encoder: from a picture to a code stream, with the networks and tables of a bundle."""
