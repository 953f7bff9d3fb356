"""Tang et al. 2023, "Did You Train on My Dataset?": clean-label watermarks."""
