"""One form in memory and on disk."""
