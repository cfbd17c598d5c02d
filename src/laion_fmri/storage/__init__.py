"""Floor 2: listing, plan (pure), transfer (the only writer of the data directory)."""
