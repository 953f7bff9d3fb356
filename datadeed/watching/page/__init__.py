"""The page of a store: what its suspects have come to, read-only and without a script.

Raises:
    PageError: on import, the extra ``watch`` is not installed.
"""

from importlib.util import find_spec

from datadeed.errors import PageError

for _needed in ("fastapi", "uvicorn", "sqlalchemy"):
    if find_spec(_needed) is None:
        raise PageError(f"the page of a store needs {_needed}: install datadeed[watch]")
