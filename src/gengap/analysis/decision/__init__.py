"""What to choose when something must be chosen."""
