"""Contract 1, how a processing job ends: its exit code, its message, its time."""

from __future__ import annotations

import json

from conformance.cases import Case, Ran
from conformance.ways import PROBE, keeping_going, on_image, result, steps

MESSAGE = "/opt/ml/output/message"
SAY = f"import os, signal, sys, time\ndef say(data):\n    open('{MESSAGE}', 'wb').write(data)\n"
WRITE = "open('/opt/ml/processing/output/out/f', 'w').write('x')\n"


def verdicts(ran: Ran) -> dict[str, tuple[str, str, int | None]]:
    results = json.loads((ran.root / "run.json").read_text())["results"]
    return {found["step"]: (found["state"], found["verdict"], found["exit_code"]) for found in results}


# -- success

STATUS = SAY + WRITE + "sys.exit(int(sys.argv[1]))\n"
CODES = {"zero": 0, "one": 1, "three": 3, "c130": 130, "c137": 137, "c143": 143, "c255": 255}


def success(ran: Ran) -> None:
    found = verdicts(ran)
    assert found.pop("zero") == ("passed", "passed", 0)
    assert found.pop("killed") == ("failed", "exit", 137)
    assert found.pop("raised") == ("failed", "exit", 1)
    assert found == {name: ("failed", "exit", code) for name, code in CODES.items() if code}
    assert ran.output("zero").is_dir()
    assert not [name for name in (*found, "killed", "raised") if ran.output(name).exists()]


def p8(ran: Ran) -> None:
    assert verdicts(ran) == {"s": ("failed", "exit", 130)}
    assert ran.result()["signal"] is None


def kept_aside(ran: Ran) -> None:
    """Outputs of a failed step are not published; they stay for the person who debugs."""
    assert not ran.output().exists()
    assert (ran.root / "steps" / "s" / "attempt" / "out" / "f").read_text() == "x"
    assert result(ran, "use")["state"] == "blocked"


# -- messages

MESSAGES = {
    "short": (f"say('all well: {'é'}'.encode())", "all well: é"),
    "long": ("say(b'x' * 1023 + 'é'.encode() + b'more')", "x" * 1023),
    "exact": ("say(b'x' * 1022 + 'é'.encode())", "x" * 1022 + "é"),
    "beyond": ("say(b'x' * 1024 + bytes([255]))", "x" * 1024),
    "none": ("", None),
    "removed": (f"say(b'x'); os.remove('{MESSAGE}')", None),
    "a_link": (f"os.symlink('/etc/passwd', '{MESSAGE}')", None),
}


def completed(ran: Ran) -> None:
    assert {name: ran.result(name)["exit_message"] for name in MESSAGES} == {
        name: text for name, (_, text) in MESSAGES.items()
    }


def p9(ran: Ran) -> None:
    assert (ran.result()["exit_code"], ran.result()["exit_message"]) == (3, "no column 'label'")
    assert any("no column 'label'" in line for line in ran.notices)


NOT_UTF8 = "invalid-output"
FAULTY = {
    "latin": ("say('caf\\xe9'.encode('latin-1'))", "byte 4 (0xe9)"),
    "cut": ("say('é'.encode()[:1])", "byte 1 (0xc3)"),
    "surrogate": ("say(bytes([0xed, 0xa0, 0x80]))", "byte 1 (0xed)"),
    "at_the_end": ("say(b'x' * 1023 + bytes([255, 255]))", "byte 1024 (0xff)"),
}


def not_utf8(ran: Ran) -> None:
    for name, (_, where) in FAULTY.items():
        found = ran.result(name)
        assert (found["state"], found["verdict"], found["exit_code"]) == ("failed", NOT_UTF8, 0)
        assert found["reason"] == (
            f"{MESSAGE}: {where} is not UTF-8, and SageMaker fails such a job; write it as UTF-8"
        )
        assert not ran.output(name).exists()
    failed = ran.result("failed_too")
    assert (failed["verdict"], failed["exit_code"], failed["exit_message"]) == ("exit", 3, "caf\ufffd")


def kilobyte(ran: Ran) -> None:
    assert ran.result("processing")["exit_message"] == "é" * 512
    assert ran.result("training")["exit_message"] == "é" * 1024


# -- stopping

OBEYS = f"""{SAY}{WRITE}
def leave(number, frame):
    print("got", number, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
say(b"half-way")
time.sleep(60)
"""
DEAF = f"""{SAY}
signal.signal(signal.SIGTERM, lambda *_: (print("got", flush=True), say(b"told to stop")))
print("up", flush=True)
until = time.monotonic() + 60
while time.monotonic() < until:
    time.sleep(1)
"""


def stopped(ran: Ran) -> None:
    obeys, deaf = ran.result("obeys"), ran.result("deaf")
    assert {found["verdict"] for found in (obeys, deaf)} == {"timeout"}
    assert (obeys["exit_code"], obeys["signal"], obeys["exit_message"]) == (0, None, "half-way")
    assert obeys["reason"] == "stopped after its time-out of 4 s (it exited 0 after SIGTERM)"
    assert ran.stream(step="obeys") == b"got 15\n"
    assert 4 <= obeys["seconds"] < 60
    assert (deaf["exit_code"], deaf["signal"], deaf["exit_message"]) == (137, "SIGKILL", "told to stop")
    assert ran.stream(step="deaf") == b"up\ngot\n"
    assert 6 <= deaf["seconds"] < 60
    assert not ran.output("obeys").exists()


def p7(ran: Ran) -> None:
    found = ran.result()
    assert (found["state"], found["verdict"]) == ("failed", "timeout")
    assert found["seconds"] >= 1
    assert b"woke" not in ran.stream()
    assert not ran.output().exists()


SLEEPS = f"trap 'exit 0' TERM; printf half-way > {MESSAGE}; echo up; sleep 60 & wait; echo woke"


def p7_cold(ran: Ran) -> None:
    p7(ran)
    assert ran.result()["mode"] == "cold"
    assert ran.result()["exit_message"] == "half-way"


OUT = {"outputs": ["out"]}
CASES = [
    Case(
        name="1.success", points=("1.success",), exit_code=1, run=keeping_going, check=success,
        files={
            "s.py": STATUS, "killed.py": f"import os\n{WRITE}os.kill(os.getpid(), 9)\n",
            "raised.py": f"{WRITE}raise ValueError\n",
        },
        pipeline=steps(
            OUT, **{name: {"script": "s.py", "args": [str(code)]} for name, code in CODES.items()},
            killed={"script": "killed.py"}, raised={"script": "raised.py"},
        ),
    ),
    Case(
        name="P8 exit 130", points=("P8", "1.success"), exit_code=1, check=p8, files={"s.py": STATUS},
        pipeline=steps(s={"script": "s.py", "args": ["130"], **OUT}),
    ),
    Case(
        name="1.unknown.upload, outputs of a failed step", points=("1.unknown.upload",), exit_code=1, check=kept_aside,
        files={"s.py": STATUS}, pipeline=steps(
            s={"script": "s.py", "args": ["1"], **OUT},
            use={"script": "s.py", "args": ["0"], "inputs": {"i": {"from": "s.out"}}},
        ),
    ),
    Case(
        name="1.message.exit, completed", points=("1.message.exit", "1.limit.messages"), check=completed,
        files={f"{name}.py": f"{SAY}{line}\n" for name, (line, _) in MESSAGES.items()},
        pipeline=steps(**{name: {"script": f"{name}.py"} for name in MESSAGES}),
    ),
    Case(
        name="P9 exit 3 with a message", points=("P9", "1.message.exit"), exit_code=1, check=p9, run=keeping_going,
        files={"s.py": f"{SAY}say(b\"no column 'label'\")\nsys.exit(3)\n"}, pipeline=steps(s={"script": "s.py"}),
    ),
    Case(
        name="P13 a message that is not UTF-8", points=("P13", "1.message.utf8"), exit_code=1, check=not_utf8,
        run=keeping_going, files={
            **{f"{name}.py": f"{SAY}{WRITE}{line}\n" for name, (line, _) in FAULTY.items()},
            "failed_too.py": f"{SAY}{FAULTY['latin'][0]}\nsys.exit(3)\n",
        },
        pipeline=steps(OUT, **{name: {"script": f"{name}.py"} for name in (*FAULTY, "failed_too")}),
    ),
    Case(
        name="1.limit.messages", points=("1.limit.messages",), exit_code=1, check=kilobyte, run=keeping_going,
        files={
            "p.py": f"{SAY}say(('é' * 2000).encode())\n",
            "t.py": "open('/opt/ml/output/failure', 'w').write('é' * 2000)\nraise SystemExit(1)\n",
        },
        pipeline=steps(processing={"script": "p.py"}, training={"type": "training", "script": "t.py"}),
    ),
    Case(
        name="1.stop", points=("1.stop.runtime", "1.stop.grace", "1.message.stopped"), exit_code=1, check=stopped,
        run=keeping_going, files={"obeys.py": OBEYS, "deaf.py": DEAF},
        pipeline=steps(
            {"timeout": "4s"}, obeys={"script": "obeys.py", "stop_grace": 60, **OUT},
            deaf={"script": "deaf.py", "stop_grace": 2},
        ),
    ),
    Case(
        name="P7 MaxRuntime 1 s, sleep 3", points=("P7", "1.stop.runtime"), exit_code=1, check=p7,
        files={"s.py": f"{SAY}{WRITE}print('up', flush=True)\ntime.sleep(3)\nprint('woke')\n"},
        pipeline=steps(s={"script": "s.py", "timeout": 1, **OUT}),
    ),
    Case(
        name="1.stop, an image without Python", points=("1.stop.runtime", "1.message.stopped"), exit_code=1,
        check=p7_cold, run=on_image("RUN rm -rf /opt/venv /usr/bin/python3*"),
        pipeline=steps(s={
            "image": PROBE, "timeout": 4, "stop_grace": 1, **OUT,
            "entrypoint": ["bash", "-c", SLEEPS],
        }),
    ),
]  # fmt: skip
