"""The segment images: which shows what from where, how large a pixel is, and what of them is used."""
