"""The warm pool: containers for the next run that stand ready between runs, held by a small process, the keeper.

`wish` says what such a container is and when a step may have it, `keeper` holds them, `link` is how a run asks for one.
Each container is used once. What a keeper's absence, death or fault costs is time, never a result.
"""
