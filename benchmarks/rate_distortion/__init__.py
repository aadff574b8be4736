"""Rate and distortion beside JPEG, WebP, AVIF and JPEG XL: `python -m benchmarks.rate_distortion --help`."""
