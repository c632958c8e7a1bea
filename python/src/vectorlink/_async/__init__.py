"""The asynchronous half of the package. The synchronous one is written from it: see scripts/generate_sync.py."""
