"""Many nodes on one PostgreSQL: real processes, killed, frozen and cut off."""
