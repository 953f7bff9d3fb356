"""The papers' networks, each with a ``width``, behind models that take raw samples."""
