"""The steps of a build, what they wrote, and the gates in front of publication."""
