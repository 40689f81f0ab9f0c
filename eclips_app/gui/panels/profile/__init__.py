"""Line profiles: draw on the image, read on the plot, keep in the results table."""
