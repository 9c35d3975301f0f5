"""One loop, recipes, dialogue generator, export."""
