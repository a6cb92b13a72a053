"""What runs pipelines: an engine per place."""
