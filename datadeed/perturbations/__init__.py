"""Small changes of samples, computed against a surrogate model."""
