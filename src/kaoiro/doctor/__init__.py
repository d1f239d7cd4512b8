"""What this machine offers, and what would be slow or fail on it."""
