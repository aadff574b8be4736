"""`python -m jpegai_mobile` is the command `jpegai`."""

import sys

from .cli.start import start


def main() -> int:
    """Run the command line of this process; gives the exit code."""
    return start("jpegai", "jpegai_mobile.cli.main")


if __name__ == "__main__":
    sys.exit(main())
