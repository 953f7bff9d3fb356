"""Searches for marks in released data, without the key."""
