"""Types of components' inputs and outputs."""
