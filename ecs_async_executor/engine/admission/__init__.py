"""Decides which call to AWS may be made, and when."""
