"""Alembic's: how the store's tables came to be."""
