"""``python -m datadeed`` is the command ``datadeed``."""

import sys

from datadeed.cli.main import main

sys.exit(main())
