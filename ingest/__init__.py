"""How posts come in: sources, normalising, and the publisher."""
