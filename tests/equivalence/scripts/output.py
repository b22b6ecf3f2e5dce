"""Bytes on both streams, buffered and not, to the end of a large write, and files of every kind."""

import os
import sys

out = "/opt/ml/processing/output/out"
print("text \N{SNOWMAN} and more", end="")
sys.stderr.write("\x1b[31mred\x1b[0m\r\n")
sys.stdout.buffer.write(bytes(range(256)) * 40)
os.write(1, b"past the buffer\n")
os.write(2, b"x" * 300000)
os.makedirs(out + "/empty/deep")
os.umask(0o027)
with open(out + "/bytes", "wb") as handle:
    handle.write(os.urandom(0) + bytes(range(256)) * 5000)
os.symlink("bytes", out + "/link")
os.chmod(out + "/bytes", 0o4751)
os.utime(out + "/bytes", (1, 2))
with open("/opt/ml/output/message", "w") as handle:
    handle.write("last words")
sys.stdout.write("no line end")
