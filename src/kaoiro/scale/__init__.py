"""Work on many processes at once."""
