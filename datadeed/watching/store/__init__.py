"""The store: suspects, their days, runs and verdicts, in SQLite or PostgreSQL (docs/watch.md).

The folders of the watches stay the truth: whatever is here can be read from them again.

Raises:
    StoreError: on import, the extra ``watch`` is not installed.
"""

from importlib.util import find_spec

from datadeed.errors import StoreError

for _needed in ("sqlalchemy", "alembic"):
    if find_spec(_needed) is None:
        raise StoreError(f"a shared store needs {_needed}: install datadeed[watch]")
