"""Real model servers, each in an environment of its own, to verify against: ``make servers``."""
