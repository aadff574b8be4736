"""From checkpoints to networks to bundles. Imports `jpegai_mobile`; never imported by it."""
