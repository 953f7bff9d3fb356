"""What a thief may do to find the marks in a released dataset (WSD of Tang et al. 2023)."""
