"""Pick your Poison: undetectability against robustness (Lukas & Kerschbaum 2023)."""
