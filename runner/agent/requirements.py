"""The program of the short container that resolves a `requirements.txt` (see `runner.engine.requirements`).

It runs in other people's images, as `python -c TEXT`: standard library only, Python 3.7 syntax. It asks the image's own
pip what it would install there, makes a wheel of each, and names each in an exact `requirements.txt`.
"""

import json
import os
import re
import shutil
import subprocess
import sys

CODE, OUT, PIP_CACHE = "/run-pipeline/code", "/run-pipeline/out", "/run-pipeline/cache"
WORK, LOG = "/tmp/code", "/tmp/pip.log"
OLD_PIP, UNREACHABLE = 78, 79
UNFETCHED = re.compile(r"Could not fetch URL (\S+): (?!404 )(.*)")
OPTIONS = re.compile(
    r"(-i|-f|--(index-url|extra-index-url|find-links|trusted-host|pre|prefer-binary|no-binary|only-binary))\b"
)


def pip(*words):
    always = ["--disable-pip-version-check", "--no-input", "--log", LOG]
    status = subprocess.call([sys.executable, "-m", "pip", *always, *words])
    if status:
        check_index()
        sys.exit(status if status > 0 else 128 - status)


def check_index():
    """To pip an index that does not answer is one that has nothing: only its log tells the two apart."""
    if not os.path.exists(LOG):  # pip did not come to that
        return
    with open(LOG, encoding="utf-8", errors="replace") as handle:
        found = next((match for match in map(UNFETCHED.search, handle) if match), None)
    if found:
        print("ERROR: could not fetch %s: %s" % (re.sub("//[^/]*@", "//", found.group(1)), found.group(2)[:200]))
        sys.exit(UNREACHABLE)


def check_pip():
    try:
        import pip as installed
    except ImportError:
        sys.exit("ERROR: No module named pip")
    if [int(part) for part in re.findall("[0-9]+", installed.__version__)[:2]] < [22, 2]:
        print("ERROR: the image's pip %s cannot say what it would install; 22.2 can" % installed.__version__)
        sys.exit(OLD_PIP)


def exact(item):
    return "%s==%s" % (item["metadata"]["name"], item["metadata"]["version"])


def origin(item):
    """A requirement for the very thing that pip chose."""
    if not item["is_direct"]:
        return exact(item)
    info = item["download_info"]
    vcs = info.get("vcs_info")
    url = "%s+%s@%s" % (vcs["vcs"], info["url"], vcs["commit_id"]) if vcs else info["url"]
    part = "#subdirectory=" + info["subdirectory"] if info.get("subdirectory") else ""
    return "%s @ %s%s" % (item["metadata"]["name"], url, part)


def write(path, lines):
    with open(path, "w", encoding="utf-8") as handle:
        handle.write("".join(line + "\n" for line in lines))


def main():
    check_pip()
    shutil.copytree(CODE, WORK, symlinks=True)  # a local project is built where it lies
    os.chdir(WORK)
    pip("install", "--progress-bar=off", "--dry-run", "--report", "/tmp/report.json", "-r", "requirements.txt")
    with open("/tmp/report.json", encoding="utf-8") as handle:
        found = json.load(handle)["install"]
    with open("requirements.txt", encoding="utf-8", errors="replace") as handle:
        options = [line.strip() for line in handle if OPTIONS.match(line.strip())]  # where packages come from
    if found:
        write("/tmp/exact.txt", options + [origin(item) for item in found])
        pip("wheel", "--progress-bar=off", "--no-deps", "--wheel-dir", OUT, "-r", "/tmp/exact.txt")
    write(OUT + "/requirements.txt", [exact(item) for item in found])


if __name__ == "__main__":
    main()
