"""Recordings from one place to another: database, text cassettes, and other tools' files.

Everything passes as `Track`s. Into a database they go through the recorder's own writer,
so that secrets go, and match keys, usage and cost are derived as in a recording.
"""
