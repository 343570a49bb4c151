"""Strings and ids: reading text, splitting it, and turning it into tokens and back."""
