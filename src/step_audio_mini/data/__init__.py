"""Readers of packs and corpora, decoded once into a memory-mapped cache."""
