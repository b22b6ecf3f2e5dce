"""From a selection of steps to results.

`select` says which steps run, `plan` what each of them is, `schedule` when it may start (pure: no I/O, clock or
thread), `execute` makes it happen, `rundir` and `store` write and read run directories, `events` tells reporters.
"""
