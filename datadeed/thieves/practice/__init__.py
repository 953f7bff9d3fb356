"""Thieves who train on a release as people train: recipes, augmentations, networks, views."""
