"""Where the named datasets come from; each place is tried in turn."""
