"""What a plugin provides, and how it is found."""
