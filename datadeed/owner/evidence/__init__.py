"""What a claim rests on: the query log, the evidence file, its signature and timestamps."""
