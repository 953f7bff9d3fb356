"""The league of thieves: what they do to a release, to a model, at a server, and its cost."""
