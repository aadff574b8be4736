"""The networks of the decoder in other runtimes, for comparison; needs the extra `bench`."""
