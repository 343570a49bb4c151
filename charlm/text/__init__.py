"""Strings to token ids and back: corpora, normalisation, vocabularies, tokenizers."""
