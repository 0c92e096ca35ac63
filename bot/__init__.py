"""Wardwatch: security-advisory alerts for the people who defend hospitals."""
