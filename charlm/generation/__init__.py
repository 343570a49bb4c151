"""Token ids in, token ids out: transforms, stop conditions, sampling, beam search."""
