"""Verification: the published tests as written, exact ones beside them, and a verdict."""
