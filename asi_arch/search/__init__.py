"""Search: the pool's samplers, and what counts as better."""
