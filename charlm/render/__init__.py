"""Result objects to terminal, JSON and picture files."""
