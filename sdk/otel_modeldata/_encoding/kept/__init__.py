"""Parts of copies of frames."""
