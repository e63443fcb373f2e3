"""Search: the pool's samplers, novelty, and what counts as better."""
