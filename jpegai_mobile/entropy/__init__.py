"""me-tANS entropy coding: the plain, readable form that the native core must equal."""
