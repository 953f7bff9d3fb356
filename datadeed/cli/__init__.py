"""The command ``datadeed``: one file a sub-command, each a thin layer over the science."""
