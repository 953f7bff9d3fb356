"""When, where and how many at once: Prefect runs what DVC says is out of date.

Importing this package sets quiet defaults for Prefect, which reads its settings once, at import.
"""

from flows.settings import quiet

quiet()
