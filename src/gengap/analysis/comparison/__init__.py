"""Variants against the baseline: differences, verdicts, and what it would take to reach one."""
