"""What is left when the server dies, and what happens when the disk is full."""
