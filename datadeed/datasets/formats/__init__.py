"""Formats people publish labelled data in: read, streamed and written under one interface."""
