"""KServe's Python model server."""
