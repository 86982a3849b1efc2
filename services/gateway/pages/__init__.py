"""What the gateway shows to people and tools beside `/v1`: the home page, the interface description, health."""
