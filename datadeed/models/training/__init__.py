"""Training: how, the one loop, optimisers, augmentation, and the state that a kill leaves."""
