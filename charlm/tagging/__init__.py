"""Labels for the words of sentences: reading annotated text, deciding, measuring."""
