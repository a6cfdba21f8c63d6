"""Posts in micro-batches through the classifier into both stores: the Faust application."""
