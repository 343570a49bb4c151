"""Spelling correction: candidates, a model of misspelling, an n-gram model, and when to change."""
