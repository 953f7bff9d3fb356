"""A marked copy of a dataset in the very format it came in."""
