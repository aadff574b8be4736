"""`python -m converters` is `jpegai-convert`."""

import sys

from jpegai_mobile.cli.start import start


def main() -> int:
    """Run the command line of this process; gives the exit code."""
    return start("jpegai-convert", "converters.cli")


if __name__ == "__main__":
    sys.exit(main())
