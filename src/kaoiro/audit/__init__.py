"""What is wrong with a corpus: the checks, the page that shows what they found, and the repairs."""
