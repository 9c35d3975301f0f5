"""Makes packs from clones of public repositories, one module a family of sources."""
