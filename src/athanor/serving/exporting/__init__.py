"""Endpoints taken elsewhere: folders that serve by themselves, containers, manifests."""
