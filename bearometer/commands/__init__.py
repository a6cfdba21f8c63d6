"""The commands of `bearometer`, one file per subject; what they need is imported when they run."""
