"""DVBW: "Black-box Dataset Ownership Verification via Backdoor Watermarking" (Li et al. 2023)."""
