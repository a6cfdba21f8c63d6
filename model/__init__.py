"""The classifier: how it is trained, measured, exported and run."""
