"""Wardwatch: security-advisory alerts for the people who defend hospitals."""

VERSION = "0.1.0"
