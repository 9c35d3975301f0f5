"""One file a trained part."""
