"""Private inputs on the real engine, in each start mode: no consumer changes what its producer published."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine.hostile import ATTACK, GUEST, PRODUCE, REFUSED, snapshot
from engine.launches import Ended, Workbench

from runner.engine.base import BoundOutput, Launch, StartMode, StopReason, Verdict

pytestmark = pytest.mark.docker
as_root = pytest.mark.skipif(os.getuid() != 0, reason="mounts a file system, which needs root")
DATA = "/opt/ml/processing/input/data"
COPIES = ("copy", "reflink")


def produce(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-c", PRODUCE, root], check=True)
    return root


@pytest.fixture
def produced(tmp_path: Path) -> Path:
    """As a step of the same run published it."""
    return produce(tmp_path / "steps/producer/outputs/out")


def attack(bench: Workbench, source: Path, mode: StartMode, script: str = ATTACK, **options: object) -> Ended:
    ended = bench.run(bench.launch(script, mode=mode, args=(DATA,), inputs={"data": source}, **options))  # type: ignore[arg-type]
    assert ended.outcome.verdict is Verdict.PASSED, ended.stderr.decode()
    assert not ended.launch.scratch.exists()
    return ended


def made(ended: Ended) -> str:
    return dict(ended.outcome.private)["data"]


@pytest.mark.parametrize("private", ["overlay", "copy"])
def test_a_hostile_consumer_changes_nothing_but_its_own(
    bench: Workbench, mode: StartMode, produced: Path, private: str
) -> None:
    """The second one finds everything as the first one found it; so does a third, of a directory of the user's."""
    before = snapshot(produced)
    for _ in range(2):
        ended = attack(bench, produced, mode, private=private)
        assert made(ended) in (COPIES if private == "copy" else ("overlay",))
        assert ended.outcome.warnings == ()
        assert snapshot(produced) == before


def test_a_directory_of_the_users_is_not_touched_either(
    bench: Workbench, mode: StartMode, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = produce(tmp_path_factory.mktemp("mine") / "data")
    before = snapshot(source)
    assert made(attack(bench, source, mode)) == "overlay"
    assert snapshot(source) == before


def test_two_consumers_at_once_do_not_see_each_other(bench: Workbench, mode: StartMode, produced: Path) -> None:
    before = snapshot(produced)
    linger = "import time\n" + ATTACK + "\ntime.sleep(1)\nassert read('a') == b'overwritten'\n"
    ended: list[Ended] = []
    threads = [threading.Thread(target=lambda: ended.append(attack(bench, produced, mode, linger))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.stdout for each in ended] == [b"attacked\n"] * 2
    assert snapshot(produced) == before


@pytest.mark.parametrize("private", ["overlay", "copy"])
def test_a_user_who_is_not_root_owns_the_directory_only(bench: Workbench, produced: Path, private: str) -> None:
    before = snapshot(produced)
    for mode in {StartMode.PLAIN, bench.image.mode}:
        assert attack(bench, produced, mode, GUEST, private=private, user="nobody").stdout == b"attacked\n"
        assert snapshot(produced) == before


def test_so_it_is_for_the_user_of_an_image_without_python(bench: Workbench, produced: Path) -> None:
    name = f"run-pipeline-test-{bench.run_id}"
    text = f"FROM {bench.image.reference}\nUSER nobody\n"
    build = {"input": text, "text": True, "check": True, "capture_output": True}
    subprocess.run(["docker", "build", "--tag", name, "-"], **build)  # type: ignore[call-overload]
    try:
        guests = Workbench(bench.engine, bench.root, bench.engine.image(name))
        before = snapshot(produced)
        assert attack(guests, produced, StartMode.COLD, GUEST).stdout == b"attacked\n"
        assert snapshot(produced) == before
    finally:
        subprocess.run(["docker", "rmi", "--force", name], check=True, capture_output=True)


@pytest.mark.parametrize("private", ["overlay", "copy"])
def test_a_consumer_that_is_killed_leaves_its_producer_as_it_was(
    bench: Workbench, mode: StartMode, produced: Path, private: str
) -> None:
    before = snapshot(produced)
    launch = bench.launch(
        ATTACK + "\nwhile True: write('a', os.urandom(1 << 16), 'ab')",
        mode=mode, args=(DATA,), inputs={"data": produced}, private=private,
    )  # fmt: skip
    container = bench.engine.prepare(launch)
    try:
        outcome = container.run(lambda _: container.stop(StopReason.CANCELLED, 0), lambda _: None)
    finally:
        container.remove()
    assert outcome.verdict is Verdict.CANCELLED
    assert snapshot(produced) == before
    assert not launch.scratch.exists()
    assert bench.engine.leftovers(bench.run_id) == []


# -- read-only


@pytest.mark.parametrize("user", [None, "nobody"])
def test_a_read_only_input_refuses_every_write(
    bench: Workbench, mode: StartMode, produced: Path, user: str | None
) -> None:
    before = snapshot(produced)
    script = REFUSED if user is None else "import sys; open(sys.argv[1] + '/a'); print('refused')"
    ended = attack(bench, produced, mode, script, private="read-only", user=user)
    assert (ended.stdout, made(ended), ended.outcome.warnings) == (b"refused\n", "read-only", ())
    assert snapshot(produced) == before


def nested(launch: Launch, source: Path) -> Launch:
    """With an output at `sub/out` in the input, and a config directory at `not/there`."""
    extra = [
        BoundOutput(name, f"{DATA}/{name}", source.parent / f"b-{n}") for n, name in enumerate(("sub/out", "not/there"))
    ]
    for output in extra:
        output.host.mkdir()
    return dataclasses.replace(launch, outputs=(*launch.outputs, extra[0]), config=(*launch.config, extra[1]))


def test_other_things_are_mounted_in_a_read_only_input(bench: Workbench, mode: StartMode, produced: Path) -> None:
    before = snapshot(produced)
    script = REFUSED + (
        "\nopen(root + '/sub/out/f', 'w').write('1')\nopen(root + '/not/there/f', 'w').write('2')\n"
        "print(sorted(os.listdir(root + '/sub')), oct(os.stat(root + '/sub').st_mode), len(os.listdir(root)))"
    )
    launch = bench.launch(script, mode=mode, args=(DATA,), inputs={"data": produced}, private="read-only")
    ended = bench.run(nested(launch, produced))
    assert ended.outcome.verdict is Verdict.PASSED, ended.stderr.decode()
    shown = oct((produced / "sub").stat().st_mode)
    assert ended.stdout.decode() == f"refused\n['deep', 'out', 'y'] {shown} 28\n"
    assert made(ended) == "read-only"
    assert (produced.parent / "b-0/f").read_text() + (produced.parent / "b-1/f").read_text() == "12"
    assert snapshot(produced) == before


# -- where an overlay cannot lie


@pytest.fixture
def mounts() -> Iterator[Callable[..., Path]]:
    """Mounts a file system on a directory: `mounts(place, "-t", "tmpfs", "tmpfs")`."""
    mounted: list[Path] = []

    def mount(place: Path, *words: str | Path) -> Path:
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *words, place], check=True)
        mounted.append(place)
        return place

    yield mount
    for place in reversed(mounted):
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def stacked(tmp_path: Path, mounts: Callable[..., Path]) -> Path:
    """A directory that is an overlay itself, on 16 MiB: no overlay can lie upon it, as in a container's own layer."""
    small = mounts(tmp_path / "small", "-t", "tmpfs", "-o", "size=16m", "tmpfs")
    for name in ("lower", "upper", "work"):
        (small / name).mkdir()
    layers = f"lowerdir={small}/lower,upperdir={small}/upper,workdir={small}/work"
    return mounts(tmp_path / "stacked", "-t", "overlay", "-o", layers, "overlay")


@as_root
def test_a_source_on_an_overlay_is_a_lower_directory_like_any_other(
    bench: Workbench, mode: StartMode, stacked: Path
) -> None:
    source = produce(stacked / "data")
    before = snapshot(source)
    assert made(attack(bench, source, mode)) == "overlay"
    assert snapshot(source) == before


@as_root
def test_no_overlay_lies_on_an_overlay_so_the_input_is_copied_and_told(
    bench: Workbench, mode: StartMode, stacked: Path, produced: Path
) -> None:
    before = snapshot(produced)
    there = Workbench(bench.engine, stacked, bench.image)
    ended = attack(there, produced, mode)
    assert made(ended) == "copy"
    assert any(text.startswith("input 'data' is a copy: an overlay cannot be had") for text in ended.outcome.warnings)
    assert snapshot(produced) == before


@as_root
def test_what_can_neither_be_overlaid_nor_copied_is_read_only_and_told(
    bench: Workbench, mode: StartMode, stacked: Path, produced: Path
) -> None:
    (produced / "huge").write_bytes(os.urandom(24 << 20))
    before = snapshot(produced)
    there = Workbench(bench.engine, stacked, bench.image)
    script = REFUSED + "\nos.remove('/opt/ml/processing/input/code/script.py')"
    ended = attack(there, produced, mode, script)
    assert (made(ended), dict(ended.outcome.private)["code"]) == ("read-only", "copy")
    (told,) = [text for text in ended.outcome.warnings if "'data'" in text]
    assert told.startswith("input 'data' is read-only, and a script that writes to it fails: an overlay cannot be had")
    assert told.endswith("a copy cannot be had (No space left on device)")
    assert snapshot(produced) == before


@as_root
def test_a_file_system_mounted_in_a_source_is_seen_and_kept(
    bench: Workbench, mode: StartMode, tmp_path_factory: pytest.TempPathFactory, mounts: Callable[..., Path]
) -> None:
    """An overlay would show an empty directory there, and a bind mount would let the script write to it."""
    source = produce(tmp_path_factory.mktemp("mine") / "data")
    mounts(source / "tree", "-t", "tmpfs", "tmpfs")
    (source / "tree/of").mkdir()
    (source / "tree/of/files").write_text("mounted")
    before = snapshot(source)
    for private in ("overlay", "read-only"):
        script = "import sys\nprint(open(sys.argv[1] + '/tree/of/files').read())\n"
        script += ATTACK if private == "overlay" else REFUSED + "attempts = 0\nos.stat(at('tree'))\n"
        ended = attack(bench, source, mode, script, private=private)
        assert ended.stdout.startswith(b"mounted\n")
        assert made(ended) == ("read-only" if private == "read-only" else "copy")
        assert any("another file system" in text for text in ended.outcome.warnings) == (private == "overlay")
        assert snapshot(source) == before


# -- names


@pytest.mark.parametrize("private", ["overlay", "copy", "read-only"])
def test_paths_with_characters_that_mean_something_to_mount(
    bench: Workbench, mode: StartMode, odd_dir: Path, private: str
) -> None:
    """Commas, colons, backslashes, quotes, spaces and line ends, in the source's path and in the run directory's."""
    there = Workbench(bench.engine, odd_dir / "run\\ x,ro", bench.image)
    for source in (odd_dir / "da,ta:\\ro\\", there.root / "steps/producer"):
        before = snapshot(produce(source))
        ended = attack(there, source, mode, REFUSED if private == "read-only" else ATTACK, private=private)
        assert made(ended) in (COPIES if private == "copy" else (private,))
        assert ended.outcome.warnings == ()
        assert snapshot(source) == before


def test_a_path_that_docker_takes_for_options_is_copied_and_told(
    bench: Workbench, mode: StartMode, odd_dir: Path
) -> None:
    """Docker takes `ro` out of a volume's options, escaped or not. The agent mounts by itself."""
    source = produce(odd_dir / "data,ro")
    before = snapshot(source)
    ended = attack(bench, source, mode)
    if mode is StartMode.STAGED:
        assert (made(ended), ended.outcome.warnings) == ("overlay", ())
    else:
        assert made(ended) in COPIES
        assert "cannot mount it as a volume" in ended.outcome.warnings[0]
    assert snapshot(source) == before


def test_paths_that_are_too_long_for_mount_options(bench: Workbench, mode: StartMode, tmp_path: Path) -> None:
    long = Path(*["d" * 200] * 9)
    there = Workbench(bench.engine, tmp_path / "run" / long, bench.image)
    source = produce(tmp_path / "source" / long)
    before = snapshot(source)
    ended = attack(there, source, mode)
    if made(ended) != "overlay":  # a staged container sees all of it by short names
        assert made(ended) in COPIES
        assert any("longer than mount options" in text for text in ended.outcome.warnings)
    assert snapshot(source) == before


def test_a_source_by_way_of_a_symlink(
    bench: Workbench, mode: StartMode, produced: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("mine") / "link"
    link.symlink_to(produced)
    before = snapshot(produced)
    assert made(attack(bench, link, mode)) == "overlay"
    assert snapshot(produced) == before


# -- what it costs


def bytes_below(root: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in root.rglob("*"))


@pytest.mark.parametrize(("private", "least", "most"), [("overlay", 0, 1 << 20), ("copy", 190 << 20, 220 << 20)])
def test_an_overlay_costs_what_is_changed_and_a_copy_all_of_it(
    bench: Workbench, mode: StartMode, produced: Path, private: str, least: int, most: int
) -> None:
    with (produced / "huge").open("wb") as handle:
        for _ in range(200):
            handle.write(bytes(1 << 20))
    launch = bench.launch(
        "import sys; open(sys.argv[1] + '/a', 'ab').write(b'more')",
        mode=mode, args=(DATA,), inputs={"data": produced}, private=private,
    )  # fmt: skip
    container = bench.engine.prepare(launch)
    try:
        assert container.run(lambda _: None, lambda _: None).verdict is Verdict.PASSED
        assert least <= bytes_below(launch.scratch) <= most
    finally:
        container.remove()
    assert not launch.scratch.exists()
