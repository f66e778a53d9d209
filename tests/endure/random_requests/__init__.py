"""Random requests, most of them mutations of valid ones, and what may come of them."""
