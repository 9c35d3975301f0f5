"""Writing to sound units and back: phones, lexicons, normalisation, n-gram models."""
