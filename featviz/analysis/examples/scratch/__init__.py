"""Activation files: values of all units on all images, on disk until the examples are found."""
