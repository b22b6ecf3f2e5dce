"""Reporters and texts: everything that a person or a machine reads about a plan, a run or a result.

A reporter takes the events of `runner.pipeline.events` by `handle(event)`, from any thread, and ends with `close()`.
Only `console` uses rich, and only when a live board is really drawn.
"""
