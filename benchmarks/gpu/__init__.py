"""What featviz does on a graphics card, measured by one command; see `benchmarks.gpu.__main__`."""
