"""Texts to labels: labelled files, words and n-grams, the linear branch, the classifier."""
