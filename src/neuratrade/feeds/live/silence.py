"""Who fell silent on a connection that stands: told by how often each instrument spoke before.

A busy market that says nothing for half a minute is lost; a quiet one is only quiet. So what counts as
silence is a multiple of the usual pause of each, within bounds, and it doubles each time it is told in vain.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND

PAUSES = 20
"""How many usual pauses in a row are silence."""
LEAST_NS = 30 * NS_PER_SECOND
MOST_NS = 10 * NS_PER_MINUTE
UNKNOWN_NS = 2 * NS_PER_MINUTE
"""What is waited for an instrument that was never heard."""
WEIGHT = 0.1
"""Of the newest pause in the usual one."""


@dataclass(slots=True)
class _Voice:
    heard_ns: int
    pause_ns: float = 0.0
    spoke: bool = False
    told: int = 0
    """How often its present silence was told."""


class Silence:
    """Listens for instruments by key. Times are those of one clock, nanoseconds."""

    def __init__(self, keys: Iterable[str], at_ns: int) -> None:
        self._voices = {key: _Voice(at_ns) for key in keys}

    def opened(self, at_ns: int) -> None:
        """A connection stands: nobody was silent before it did, on it nobody was told as such."""
        for voice in self._voices.values():
            voice.heard_ns, voice.told = at_ns, 0

    def heard(self, key: str, at_ns: int) -> bool:
        """An instrument spoke; whether it had been told as silent."""
        voice = self._voices[key]
        if voice.spoke:
            voice.pause_ns += WEIGHT * (at_ns - voice.heard_ns - voice.pause_ns)
        voice.spoke, voice.heard_ns = True, at_ns
        was_silent, voice.told = voice.told > 0, 0
        return was_silent

    def fell(self, at_ns: int) -> list[str]:
        """Who is silent for too long since it spoke or was told; each is told again after twice as long."""
        found = []
        for key, voice in self._voices.items():
            if at_ns - voice.heard_ns >= self.limit_ns(key) << voice.told:
                voice.told += 1
                found.append(key)
        return found

    @property
    def is_total(self) -> bool:
        """Whether all of them are silent."""
        return all(voice.told for voice in self._voices.values())

    def limit_ns(self, key: str) -> int:
        """How long an instrument may be silent, in its own way."""
        voice = self._voices[key]
        if not voice.spoke:
            return UNKNOWN_NS
        return min(max(round(PAUSES * voice.pause_ns), LEAST_NS), MOST_NS)

    def age_ns(self, key: str, at_ns: int) -> int:
        """Since an instrument spoke, or the connection stood."""
        return at_ns - self._voices[key].heard_ns
