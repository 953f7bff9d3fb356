"""What a team sees of its watches: a store that many share, filled from the folders."""
