"""Plans of faults are repeatable, and a fault is used up by what it meets, and only by that."""

from collections import Counter

import pytest

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.rehearsal.faults import OF_PRICES, OF_REQUESTS, Act, Fault, FaultKind, Troubles, draw_plan
from tests.unit.rehearsal.exchange import BEGIN_NS

LENGTH_S = 2700.0


class Hours:
    """Troubles and the clock they look at."""

    def __init__(self, *plan: Fault) -> None:
        self.at_s = 0.0
        self.troubles = Troubles(plan, lambda: BEGIN_NS + round(self.at_s * NS_PER_SECOND), BEGIN_NS)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert draw_plan(7, LENGTH_S, 20) == draw_plan(7, LENGTH_S, 20)
    assert len({draw_plan(seed, LENGTH_S, 8) for seed in range(50)}) == 50


def test_every_kind_is_drawn_and_those_of_requests_meet_every_act() -> None:
    drawn = [fault for seed in range(200) for fault in draw_plan(seed, LENGTH_S, 8)]
    kinds = Counter(fault.kind for fault in drawn)
    assert set(kinds) == set(FaultKind)
    assert min(kinds.values()) > len(drawn) / len(FaultKind) / 2
    for kind in OF_REQUESTS:
        assert {fault.on for fault in drawn if fault.kind is kind} == {
            Act.SUBMIT, Act.CHANGE, Act.ASK, Act.HISTORY,
        }  # fmt: skip


def test_a_plan_is_in_order_of_time_within_its_length_and_each_fault_can_do_something() -> None:
    for seed in range(100):
        plan = draw_plan(seed, LENGTH_S, 8)
        assert len(plan) == 8
        assert list(plan) == sorted(plan, key=lambda fault: fault.at_s)
        for fault in plan:
            assert 0 < fault.at_s < LENGTH_S
            assert fault.times >= 1
            assert fault.seconds or fault.kind not in (
                FaultKind.SLOW, FaultKind.LATE, FaultKind.THIN, FaultKind.MAINTENANCE, FaultKind.CLOCK_SKEW,
                FaultKind.SILENT_STREAM, FaultKind.SILENT_SYMBOL, FaultKind.PRICES_DOWN,
                FaultKind.PRICES_LATE,
            )  # fmt: skip
            assert (fault.on is not None) is (fault.kind in {*OF_REQUESTS, FaultKind.CRASH})


def test_only_the_kinds_that_are_asked_for_are_drawn() -> None:
    asked = [FaultKind.CUT, FaultKind.THIN]
    assert {fault.kind for fault in draw_plan(1, LENGTH_S, 40, asked)} == set(asked)


def test_a_fault_of_requests_waits_for_its_time_and_its_act_and_is_used_up() -> None:
    hours = Hours(Fault(10.0, FaultKind.CUT, times=2, on=Act.SUBMIT))
    assert hours.troubles.of_request(Act.SUBMIT) is None
    hours.at_s = 10.0
    assert hours.troubles.of_request(Act.ASK) is None
    assert hours.troubles.of_request(Act.CHANGE) is None
    assert hours.troubles.next_of(FaultKind.DISCONNECT) is None
    met = [hours.troubles.of_request(Act.SUBMIT) for _ in range(3)]
    assert [None if fault is None else fault.kind for fault in met] == [FaultKind.CUT, FaultKind.CUT, None]
    assert hours.troubles.met == {"connection cut": 2}


def test_faults_that_are_due_together_are_met_one_after_the_other() -> None:
    hours = Hours(Fault(2.0, FaultKind.CUT, on=Act.ASK), Fault(1.0, FaultKind.SERVER_ERROR, on=Act.ASK))
    hours.at_s = 60.0
    met = [hours.troubles.of_request(Act.ASK) for _ in range(3)]
    assert [fault and fault.kind for fault in met] == [FaultKind.SERVER_ERROR, FaultKind.CUT, None]


@pytest.mark.parametrize("kind", [FaultKind.DISCONNECT, FaultKind.STOP_REJECTED, FaultKind.DUPLICATED])
def test_a_fault_that_counts_is_there_so_many_times(kind: FaultKind) -> None:
    hours = Hours(Fault(1.0, kind, times=3))
    assert hours.troubles.next_of(kind) is None
    hours.at_s = 5.0
    assert [hours.troubles.next_of(kind) is not None for _ in range(5)] == [True] * 3 + [False] * 2


def test_a_fault_that_lasts_begins_and_ends_in_time() -> None:
    hours = Hours(Fault(10.0, FaultKind.MAINTENANCE, seconds=5.0))
    seen = {}
    for at_s in (9.999, 10.0, 14.999, 15.0):
        hours.at_s = at_s
        seen[at_s] = hours.troubles.during(FaultKind.MAINTENANCE)
    assert seen == {9.999: False, 10.0: True, 14.999: True, 15.0: False}
    assert hours.troubles.met["maintenance"] == 2


def test_who_only_wants_to_know_meets_nothing() -> None:
    hours = Hours(Fault(10.0, FaultKind.MAINTENANCE, seconds=5.0))
    hours.at_s = 12.0
    assert hours.troubles.is_on(FaultKind.MAINTENANCE)
    assert not hours.troubles.is_on(FaultKind.THIN)
    assert not hours.troubles.met.total()


def test_a_clock_that_goes_wrong_stays_wrong_until_the_next_change() -> None:
    hours = Hours(
        Fault(10.0, FaultKind.CLOCK_SKEW, seconds=-3.5), Fault(20.0, FaultKind.CLOCK_SKEW, seconds=2.0)
    )
    skews = []
    for at_s in (0.0, 10.0, 19.0, 20.0):
        hours.at_s = at_s
        skews.append(hours.troubles.skew_ns)
    assert skews == [0, -3_500_000_000, -3_500_000_000, 2_000_000_000]


def test_faults_of_prices_meet_what_tells_of_the_market_and_no_order() -> None:
    drawn = [fault for seed in range(200) for fault in draw_plan(seed, LENGTH_S, 8)]
    of_prices = [fault for fault in drawn if fault.is_of_prices]
    assert {fault.kind for fault in of_prices} == {*OF_PRICES, *OF_REQUESTS}
    assert {fault.on for fault in of_prices} == {None, Act.HISTORY}
    rest = [fault for fault in drawn if not fault.is_of_prices]
    assert {fault.kind for fault in rest} == set(FaultKind) - OF_PRICES
