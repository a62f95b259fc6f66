"""The settings file: its model and how it is loaded."""
