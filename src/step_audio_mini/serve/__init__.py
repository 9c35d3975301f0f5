"""Sound and decisions over a network: one worker for the models, protocols around it."""
