"""Looking for marks in files without looking at a sample: order, names, times, sizes, encoders."""
