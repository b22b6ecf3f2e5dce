"""Results of earlier runs, used again where nothing that a script can see has changed.

`key` says what counts, `folder` where things lie, `entries` and `trees` what is kept, `locks` that equal work is done
once, `lookup` ties them together for one run, `driving` for its loop, `explaining` compares, `collecting` tidies up.

1. A hit is a result that the same key has produced, byte for byte as it was published, or there is no hit.
2. Only steps that passed are kept, and only if what they read is still what was hashed when they have ended.
3. Any fault of the cache is a warning and a miss: it never fails a step.
"""
