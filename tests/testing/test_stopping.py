"""Signals during a test: first the containers, then what the signal would have done."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from runner.testing.stopping import stoppable


@pytest.fixture(autouse=True)
def _handlers():
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def test_a_signal_cancels_and_is_raised_behind_the_block() -> None:
    asked, ended = [], []
    with pytest.raises(KeyboardInterrupt), stoppable(asked.append):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        ended.append("the block went on")
    assert asked == [signal.SIGINT, signal.SIGINT], "each, for the second stops harder"
    assert ended == ["the block went on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_the_block_wins_and_the_handlers_are_back() -> None:
    with pytest.raises(LookupError), stoppable(lambda _: None):
        os.kill(os.getpid(), signal.SIGINT)
        raise LookupError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_what_nobody_handles_stays_so(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, handler)
    with stoppable(lambda _: None):
        assert signal.getsignal(signal.SIGTERM) is handler
    assert signal.getsignal(signal.SIGTERM) is handler


def test_in_another_thread_nothing_changes() -> None:
    seen = []

    def work() -> None:
        with stoppable(lambda _: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
