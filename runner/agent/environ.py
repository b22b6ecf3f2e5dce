"""The environment of a staged interpreter: who looked at which variable, and its change into that of another job.

Part of the hook: see `hook.py`. Python 3.7 syntax; imports nothing that the interpreter has not loaded by itself.
"""


class _runner_Environment:
    """Watches `os.environ` from its making until `leave`."""

    def __init__(self):
        import os

        seen = self.seen = set()

        class Watched(dict):
            def __getitem__(self, key):
                seen.add(key)
                return dict.__getitem__(self, key)

            def __iter__(self):
                seen.add(None)  # all of them
                return dict.__iter__(self)

            def __len__(self):
                seen.add(None)
                return dict.__len__(self)

            def __delitem__(self, key):
                seen.add(key)
                dict.__delitem__(self, key)

        self.plain = os.environ._data
        self.before = dict(self.plain)
        os.environ._data = os.environb._data = Watched(self.plain)

    def leave(self):
        import os

        self.plain.clear()
        self.plain.update(dict.items(os.environ._data))
        os.environ._data = os.environb._data = self.plain

    def become(self, text):
        """Take on the arguments and variables that `renew.packed` made; False, and nothing changed, when somebody
        has looked at a variable that is another now, or when this Python does not know its arguments yet."""
        import os
        import sys

        texts = text.split(b"\0")
        groups = []
        for _ in range(3):
            end = 1 + int(texts[0])
            groups.append(texts[1:end])
            texts = texts[end:]
        argv, removed, after = groups[0], set(groups[1]), dict(pair.partition(b"=")[::2] for pair in groups[2])
        now, before = dict(self.plain), self.before
        changed = removed | {name for name in after if before.get(name) != after[name]}
        touched = {name for name in set(now) | set(before) if now.get(name) != before.get(name)}
        if changed & touched or (changed and not self.seen.isdisjoint(changed | {None})):
            return False
        if not getattr(sys, "argv", None):
            return False
        if changed:
            after.update((name, now[name]) for name in touched if name in after and name in now)
            for name in touched - set(now):
                after.pop(name, None)
            late = [name for name in now if name not in after and name not in removed]
            os.environb.clear()
            os.environb.update(after)
            os.environb.update((name, now[name]) for name in late)
        sys.argv[1:] = [os.fsdecode(word) for word in argv[1:]]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv[1:] = [os.fsdecode(word) for word in argv]
        return True
