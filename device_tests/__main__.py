"""`python -m device_tests` is `jpegai-devices`."""

import sys

from .cli import main

sys.exit(main())
