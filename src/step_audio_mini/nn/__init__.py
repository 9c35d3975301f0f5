"""Torch blocks without a task in them."""
