"""Texts -> labels: a recurrent encoder with few labels or many, and what to compare it with."""
