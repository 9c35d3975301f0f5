"""Run exported graphs: manifest, sessions, streaming state."""
