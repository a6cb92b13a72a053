"""What needs numpy: its functions are called by name, in workers."""
