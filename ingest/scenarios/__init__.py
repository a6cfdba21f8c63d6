"""The sentences of the scenarios, and how they become two weeks of posts."""
