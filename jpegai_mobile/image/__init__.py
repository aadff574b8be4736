"""Sample planes of a decoded picture: chroma formats, colour conversion and output files."""
