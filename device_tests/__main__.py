"""`python -m device_tests` is `jpegai-devices`."""

import sys

from jpegai_mobile.cli.start import start


def main() -> int:
    """Run the command line of this process; gives the exit code."""
    return start("jpegai-devices", "device_tests.cli")


if __name__ == "__main__":
    sys.exit(main())
