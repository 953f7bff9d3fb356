"""Repairs: what makes a model forget its backdoor, or its watermark, with a few trusted samples."""
