"""``python -m datadeed`` is the command ``datadeed``."""

import sys

from datadeed.cli import main

sys.exit(main())
