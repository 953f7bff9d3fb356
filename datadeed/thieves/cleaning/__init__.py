"""Looking for marks in data before training on them: one file a cleaner, one interface."""
