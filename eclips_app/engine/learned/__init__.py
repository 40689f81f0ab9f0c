"""Learned reconstruction: a U-Net from segment images to normals, and what refines it on the images at hand."""
