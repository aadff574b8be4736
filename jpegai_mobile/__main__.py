"""`python -m jpegai_mobile` is the command `jpegai`."""

import sys

from .cli.main import main

sys.exit(main())
