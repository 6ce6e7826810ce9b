"""From one sample file to the first YAML of an institution, and to what that YAML makes of a file.

Everything is guessed from bytes and proven with the platform's own readers; the only thing read here is the sample.
What is printed and written belongs to `commands/institutions.py`.
"""
