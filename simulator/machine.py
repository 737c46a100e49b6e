"""Lambda: execution environments that live on between invocations, and invocations that die or stand still.

An invocation is one greenlet, and more while it uses `Executor`. It gives control away at each call of a
port. A call that was sent has its effect even if its caller is dead or frozen by then.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from greenlet import GreenletExit, greenlet

from simulator.world import World

T = TypeVar("T")
R = TypeVar("R")

EXECUTOR_WORKERS: Final = 10
_FREEZES_MS: Final = (2_000, 40_000, 100_000, 200_000)
_MAX_LATE_KILL_MS: Final = 3_000
"""A frozen invocation that wakes after its end runs on for up to this long before it is killed."""

_SLOW_MS: Final = 2_500
"""Less than the clients' timeouts; what takes longer is one of the lost calls."""


class Invocation:
    """One run of a handler in `region`. `name` is the same however else the run goes, so faults keep it."""

    def __init__(self, world: World, *, name: str, region: str, function: str, timeout_ms: int) -> None:
        """Begin at the present time."""
        self.world = world
        self.name = name
        self.region = region
        self.function = function
        self.random = world.random(name)
        self.started_ms = world.now_ms
        self.deadline_ms = world.now_ms + timeout_ms
        self.calls = 0
        self.over = False
        self.killed = False
        self.was_frozen = False
        self._frozen_until_ms = 0
        self.tokens: set[str] = set()
        """The lease tokens that it made."""
        self.leases: dict[str, str] = {}
        """By alert: the token of the lease that it wrote."""
        self.held: dict[str, bool] = {}
        """By alert: whether it held the lease when it last read the row."""
        self.lease_lost: set[str] = set()
        """The alerts that others have leased since, as its own lease had run out."""
        self.ledger_errors = 0
        self.coordination_errors = 0
        self.slots = 0
        self.posts = 0
        self._on_end: Callable[[], None] = lambda: None
        self._greenlets: list[greenlet] = []

    def begin(self, main: Callable[[], None], *, on_end: Callable[[], None]) -> None:
        """Run `main`. `on_end` is called once, when it returned or was killed (see `killed`)."""
        self._on_end = on_end
        self._spawn(lambda: self._whole(main))
        self.world.scheduler.at(self.deadline_ms, self._time_out)

    def kill(self, why: str) -> None:
        """End it here and now. To be called from the hub."""
        if self.over:
            return
        self.over = self.killed = True
        self.world.note(self.name, f"killed: {why}")
        for running in self._greenlets:
            running.throw()
        self._on_end()

    def fires(self, fault: str) -> bool:
        """Draw whether a fault fires in the call that is being made."""
        odds = self.world.odds.get(fault)
        return (
            odds is not None
            and self.random.random() < odds
            and self.world.fires(fault, f"{self.name}:{self.calls}:{fault}")
        )

    def call(
        self,
        what: str,
        effect: Callable[[], T] | None,
        *,
        out_ms: int,
        back_ms: int = 1,
        instead: tuple[int, Exception] | None = None,
    ) -> T:
        """Send a call that has its `effect` after `out_ms`; return its result, or raise, `back_ms` later.

        `instead`: after so many ms from now the caller gets this error, whatever becomes of the effect.
        """
        if self.over:
            raise GreenletExit
        self.calls += 1
        frozen_ms = self._mishaps_before(what)
        crash = self.fires("crash_after")
        if self.fires("slow_call"):
            out_ms += self.random.randint(0, _SLOW_MS)
        waiter, scheduler = greenlet.getcurrent(), self.world.scheduler

        def arrive() -> None:
            outcome = self._outcome_of(what, effect)
            if frozen_ms:
                self._freeze(frozen_ms)
            if crash:
                self.kill(f"crashed after {what}")
            elif instead is None:
                scheduler.after(back_ms, lambda: self._resume(waiter, outcome))

        if effect is not None or crash:
            scheduler.after(out_ms, arrive)
        if instead is not None:
            after_ms, error = instead
            self.world.note(self.name, f"{what}: will fail with {error}")
            scheduler.after(after_ms, lambda: self._resume(waiter, (None, error)))
        return self._answer()  # type: ignore[no-any-return]  # what the effect returned

    def pause(self, ms: int) -> None:
        """Let `ms` go by."""
        waiter = greenlet.getcurrent()
        self.world.scheduler.after(ms, lambda: self._resume(waiter, (None, None)))
        self._answer()

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """See `Executor`: as a pool of threads would."""
        given = list(items)
        if len(given) <= 1:
            return [function(item) for item in given]
        results: list[Any] = [None] * len(given)
        errors: list[Exception | None] = [None] * len(given)
        indexes, waiter = iter(range(len(given))), greenlet.getcurrent()
        left = len(given)

        def work() -> None:
            nonlocal left
            for index in indexes:
                try:
                    results[index] = function(given[index])
                except Exception as error:  # noqa: BLE001 - handed to the caller, as a future does
                    errors[index] = error
                left -= 1
            if left == 0 and not done:
                done.append(None)
                self.world.scheduler.after(0, lambda: self._resume(waiter, (None, None)))

        done: list[None] = []
        for _ in range(min(EXECUTOR_WORKERS, len(given))):
            self._spawn(work)
        self._answer()
        for error in errors:
            if error is not None:
                raise error
        return results

    def overlap(self, call: Callable[[], R], *, patience_s: float, meanwhile: Callable[[], None]) -> R:
        """See `Executor`: with the call on a thread of its own."""
        ended: list[tuple[Any, Exception | None]] = []
        waiting: list[greenlet] = [greenlet.getcurrent()]

        def wake() -> None:
            if waiting:
                waiter = waiting.pop()
                self.world.scheduler.after(0, lambda: self._resume(waiter, (None, None)))

        def run() -> None:
            try:
                ended.append((call(), None))
            except Exception as error:  # noqa: BLE001 - handed to the caller, as a future does
                ended.append((None, error))
            wake()

        self._spawn(run)
        self.world.scheduler.after(round(patience_s * 1000), wake)
        self._answer()
        try:
            if not ended:
                meanwhile()
        finally:
            if not ended:
                waiting.append(greenlet.getcurrent())
                self._answer()
        [(value, failure)] = ended
        if failure is not None:
            raise failure
        return value  # type: ignore[no-any-return]  # what the call returned

    def _answer(self) -> Any:
        """Wait until this greenlet is resumed, and return the value or raise the error that it is given."""
        value, error = self.world.scheduler.hub.switch()
        if error is not None:
            raise error
        return value

    def _spawn(self, function: Callable[[], None]) -> None:
        spawned = greenlet(function, parent=self.world.scheduler.hub)
        self._greenlets.append(spawned)
        self.world.scheduler.after(0, lambda: None if self.over else spawned.switch())

    def _whole(self, main: Callable[[], None]) -> None:
        main()
        self.over = True
        self._on_end()

    def _outcome_of(self, what: str, effect: Callable[[], T] | None) -> tuple[T | None, Exception | None]:
        if effect is None:
            return None, None
        try:
            value = effect()
        except Exception as error:  # noqa: BLE001 - the port's own errors, raised again in the caller
            self.world.note(self.name, f"{what}: {type(error).__name__}")
            return None, error
        if self.world.history.kept and value != []:
            self.world.note(self.name, f"{what}: {shown(value)}")  # but nothing of a key that is empty
        return value, None

    def _resume(self, waiter: greenlet, outcome: tuple[Any, Exception | None]) -> None:
        if self.over:
            return
        if halted_ms := self._halted_ms():
            self.was_frozen = True
            self.world.scheduler.after(halted_ms, lambda: self._resume(waiter, outcome))
            return
        waiter.switch(outcome)

    def _mishaps_before(self, what: str) -> int:
        """Freeze or die before a call is sent; returns for how long to freeze when it has had its effect."""
        frozen_ms = self.random.choice(_FREEZES_MS) if self.fires("freeze") else 0
        if frozen_ms and self.random.random() < 0.5:  # noqa: PLR2004 - or after it
            self._freeze(frozen_ms)
            self.pause(frozen_ms)
            frozen_ms = 0
        if self.fires("crash_before"):
            self.die(f"crashed before {what}")
        return frozen_ms

    def _freeze(self, ms: int) -> None:
        self.was_frozen = True
        self._frozen_until_ms = self.world.now_ms + ms

    def _halted_ms(self) -> int:
        halted_ms = self.world.halted_ms(self.region)
        if not self._frozen_until_ms:
            return halted_ms
        return max(halted_ms, self._frozen_until_ms - self.world.now_ms, 0)

    def _time_out(self) -> None:
        if self.over:
            return
        if halted_ms := self._halted_ms():
            late_ms = self.random.randint(0, _MAX_LATE_KILL_MS)
            self.world.scheduler.after(halted_ms + late_ms, lambda: self.kill("timed out"))
            return
        self.kill("timed out")

    def die(self, why: str) -> None:
        """End the invocation from within; this never returns."""
        self.world.scheduler.after(0, lambda: self.kill(why))
        self.world.scheduler.hub.switch()


class Machine:
    """One execution environment: what a handler keeps between invocations lives as long as this.

    It is the clock, the sleeper, the randomness and the executor of the handler that runs in it.
    """

    def __init__(self, world: World, *, region: str, function: str, skew_ms: int) -> None:
        """`skew_ms`: how far its clock is ahead of true time."""
        self.world = world
        self.region = region
        self.function = function
        self._skew_ms = skew_ms
        self._invocation: Invocation | None = None

    @property
    def invocation(self) -> Invocation:
        """The invocation that runs in it now."""
        if self._invocation is None:
            raise RuntimeError("a port was called outside any invocation; call it from a handler only")
        return self._invocation

    def enter(self, invocation: Invocation) -> None:
        """Make `invocation` the one that runs in it."""
        self._invocation = invocation

    def now_ms(self) -> int:
        """See `Clock`."""
        return self.world.scheduler.now_ms + self._skew_ms

    def sleep(self, seconds: float) -> None:
        """See `Sleeper`."""
        self.world.checker.posts.slept(self.invocation, seconds)
        self.invocation.call(f"sleep {seconds:.1f} s", lambda: None, out_ms=round(seconds * 1000), back_ms=0)

    def hex(self, digits: int) -> str:
        """See `Randomness`."""
        text = f"{self.invocation.random.getrandbits(4 * digits):0{digits}x}"
        self.invocation.tokens.add(text)
        return text

    def fraction(self) -> float:
        """See `Randomness`."""
        return self.invocation.random.random()

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """See `Executor`."""
        return self.invocation.map(function, items)

    def overlap(self, call: Callable[[], R], *, patience_s: float, meanwhile: Callable[[], None]) -> R:
        """See `Executor`."""
        return self.invocation.overlap(call, patience_s=patience_s, meanwhile=meanwhile)

    def get_remaining_time_in_millis(self) -> int:
        """Of Lambda's context. Lambda's own timer knows no skew."""
        return max(self.invocation.deadline_ms - self.world.now_ms, 0)


def shown(value: object) -> str:
    """A result, short enough for a line of the history."""
    status = getattr(value, "status", None)
    return str(value)[:160] if status is None else str(status)
