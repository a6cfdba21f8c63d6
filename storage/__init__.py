"""Postgres, which remembers everything, and Redis, which counts the last hours."""
