"""From counts to people: baselines, spikes, the life of an alert, and its delivery."""
