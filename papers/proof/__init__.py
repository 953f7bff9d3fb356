"""The proof: what its tests make of innocent models, thieves and false accusers, and the cost."""
