"""Coded findings and their words."""
