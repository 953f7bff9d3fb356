"""The papers, one folder each: answers in, tidy rows and claims out."""
