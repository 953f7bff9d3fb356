"""English texts: words and their forms, synonyms, and triggers that are words or a style."""
