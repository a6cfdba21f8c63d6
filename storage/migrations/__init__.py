"""Database migrations, run by `bearometer migrate`."""
