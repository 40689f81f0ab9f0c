"""Physics and learning on Torch. Needs torch, numpy, scipy, numba, scikit-image, tifffile and h5py alone; knows no Qt."""
