"""The runtime-testing API: scripts, the data between them and whole pipelines, tested in containers.

A face over the rooms below: the same specs, the same binding of edges, the same plan, engine and verdicts as
`run-pipeline run` has. Everything public is importable from `runner`.
"""
