"""UBW, "Untargeted Backdoor Watermark" (Li et al. 2022): a mark without a target label."""
