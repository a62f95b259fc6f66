"""Findings: what is wrong, or suspicious, in a catalogue and in the lists of a build."""
