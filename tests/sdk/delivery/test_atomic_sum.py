"""Nothing that is added to an `AtomicSum` is lost, whoever adds it and when."""

from __future__ import annotations

import itertools
import sys
import threading

from hypothesis import given
from hypothesis import strategies as st
from interruption import interrupt

from otel_modeldata._delivery.atomic_sum import AtomicSum


@given(st.lists(st.integers(-(2**40), 2**40)))
def test_the_sum_is_that_of_all_numbers_and_never_below_0(numbers: list[int]) -> None:
    total, expected = AtomicSum(), 0
    for number in numbers:
        total.add(number)
        expected = max(0, expected + number)
        assert total.value() == expected


def test_what_a_signal_handler_adds_at_any_opcode_of_an_addition_is_counted() -> None:
    for at in itertools.count():
        total = AtomicSum()
        if not interrupt(at, lambda total=total: total.add(100), lambda total=total: total.add(1)):
            break
        assert total.value() == 101
    assert at > 3


def test_an_error_of_a_signal_handler_at_any_opcode_adds_a_number_or_does_not() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    for number in (1, -1):
        for at in itertools.count():
            total = AtomicSum()
            total.add(10)
            try:
                is_interrupted = interrupt(at, fail, lambda total=total, number=number: total.add(number))
            except KeyboardInterrupt:
                is_interrupted = True
            assert total.value() in {10, 10 + number}
            if not is_interrupted:
                break
        assert at > 3


def test_what_threads_add_at_the_same_time_is_counted() -> None:
    total = AtomicSum()

    def add() -> None:
        for _ in range(5000):
            total.add(3)
            total.add(-2)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert total.value() == 4 * 5000
