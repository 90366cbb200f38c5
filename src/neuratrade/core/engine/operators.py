"""What people ask of a running desk: halt, resume, limits, quarantined things, foreign holdings."""

from typing import assert_never

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.foreign import adopt_foreign, lift_quarantine
from neuratrade.core.engine.governors import carry_out, move
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.risk.limits import operator_limit


def obey(turn: Turn, event: e.OperatorEvent, config: EngineConfig, markets: Markets) -> None:
    """Does what a person asked and writes down who and why. Raises UsageError where it cannot be done."""
    at_ns, operator = turn.at_ns, event.operator_id
    match event:
        case e.Halt(policy=policy, reason=reason):
            turn.record(f.OperatorActed(at_ns, operator, "halt", reason, policy))
            move(turn, f.TradingState.HALTED, "operator", reason, operator, "", latched=True)
            carry_out(turn, policy, markets)
        case e.Resume(reason=reason):
            turn.record(f.OperatorActed(at_ns, operator, "resume", reason))
            move(turn, f.TradingState.RUNNING, "operator", reason, operator, "", latched=False)
        case e.SetLimit(name=name, value=value, reason=reason):
            operator_limit(turn.state.limits, name, value)
            turn.record(f.LimitChanged(at_ns, operator, name, value, reason))
        case e.LiftQuarantine():
            lift_quarantine(turn, event)
        case e.AdoptForeign():
            adopt_foreign(turn, event, config, markets)
        case _:
            assert_never(event)
