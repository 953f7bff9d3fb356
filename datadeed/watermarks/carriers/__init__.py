"""What a key's triggers are: one file a kind, found by the name in the key's design."""
