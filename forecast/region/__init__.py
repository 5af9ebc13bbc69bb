"""Running the network over a region: events, looks, states of the land, observations of them."""
