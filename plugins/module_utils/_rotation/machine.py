# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation: accept the new one, use it everywhere, prove that, stop accepting the old one.

Before each state is entered an intent is on disk, after it a completion. Entering a state again does no harm, so a run
that was killed anywhere is continued by the next one. Doubt before PUBLISHED goes back; after it, both credentials
stay valid and the error says so.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Rotation, Secret, State, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Provider, Records, Store

# How far the clocks of two control nodes may be apart, in seconds.
SKEW = 300.0


@dataclass(frozen=True)
class Patience:
    """How long is waited, in seconds.

    grace: at least this long after every consumer acknowledged.
    quiet: no session of the old credential for this long.
    timeout: at most this long for both.
    interval: between two looks.
    observe: how long the new credential is watched after the old one was disabled.
    cache: at least this long between the last acknowledgement that the new one is accepted and its first use.
    compromised: do not wait for the old one's sessions, end them.
    """

    grace: float = 60.0
    quiet: float = 15.0
    timeout: float = 900.0
    observe: float = 30.0
    interval: float = 3.0
    cache: float = 0.0
    compromised: bool = False

    def waits(self, state: State) -> float:
        """How long a state takes at least, because that was asked for."""
        if self.compromised:
            return 0.0
        return {State.PUBLISHED: self.cache, State.GRACE: max(self.grace, self.quiet), State.OBSERVED: self.observe}.get(state, 0.0)


class Machine:
    """One secret's rotations."""

    def __init__(self, name: str, store: Store, records: Records, provider: Provider, patience: Patience, clock: Clock | None = None, by: str = "") -> None:
        """by: who runs it, for the journal."""
        self._name = name
        self._store = store
        self._records = records
        self._provider = provider
        self._patience = patience
        self._clock = clock or Clock()
        self._by = by
        self._enter = {
            State.PREFLIGHT: self._preflight,
            State.CREATED: self._create,
            State.SET: self._set,
            State.TESTED: self._test,
            State.PUBLISHED: self._publish,
            State.PROPAGATED: self._propagate,
            State.GRACE: self._grace,
            State.DISABLED: self._disable,
            State.OBSERVED: self._observe,
            State.DESTROYED: self._destroy,
        }

    def begin(self, consumers: Sequence[str]) -> Rotation:
        """Start a rotation, or continue the one that is in progress, up to the point where consumers have to do something.

        Raises OpsError when the new credential did not prove itself; it is then withdrawn again.
        """
        with self._records.hold(self._name):
            rotation = self._records.rotation(self._name)
            if rotation is None or not rotation.live:
                self._start(consumers)
            try:
                return self._advance("begin")
            except OpsError as error:
                raise self._give_up(error) from error

    def go_on(self, phase: str, acknowledged: Sequence[tuple[str, str]]) -> Rotation:
        """Bring a rotation that has begun to the end of its next phase: publish, finish or close.

        acknowledged: (consumer, fingerprint of a value that it uses now); it may use other secrets' values too.
        Raises OpsError when consumers have not acknowledged what they were to switch to; nothing is taken back then.
        """
        with self._records.hold(self._name):
            rotation = self._live()
            phases = policy.PHASES[self._provider.strategy]
            for earlier in list(phases)[: list(phases).index(phase)]:
                if policy.remaining(rotation, phases[earlier]):
                    raise OpsError(
                        f"The rotation of {self._name} is {rotation.state.value}: run phase {earlier} before phase {phase}.", state=rotation.state.value
                    )
            self._record(rotation, acknowledged)
            return self._advance(phase)

    def back(self) -> Rotation:
        """Undo: before PUBLISHED the rotation is dropped, after DISABLED the old credential is enabled again."""
        with self._records.hold(self._name):
            rotation = self._live()
            if not self._published(rotation):
                self._withdraw(rotation)
            elif rotation.state.order >= State.GRACE.order:
                # A run killed while it disabled left the state at GRACE: enabling what is enabled does no harm.
                self._enable(rotation)
            else:
                raise OpsError(
                    f"The rotation of {self._name} is {rotation.state.value}: consumers may use either credential, and both work. "
                    "There is nothing to undo; go on when consumers have moved.",
                    state=rotation.state.value,
                )
            return self._latest()

    def _start(self, consumers: Sequence[str]) -> None:
        secret = self._secret()
        if secret.pending is not None:
            raise OpsError(f"The secret {self._name} has a pending version that no rotation made, {secret.pending.id}. Look at it before anything is rotated.")
        rotation_id = str(uuid.uuid4())
        self._write(
            "planned",
            rotation=rotation_id,
            secret=self._name,
            strategy=self._provider.strategy,
            consumers=list(consumers),
            old=secret.current.id,
            old_fingerprint=secret.current.fingerprint,
            new=policy.pending_id(rotation_id),
        )

    def _write(self, kind: str, **fields: object) -> None:
        self._records.write(self._name, kind, by=self._by, **fields)

    def _advance(self, phase: str) -> Rotation:
        rotation = self._latest()
        for state in policy.remaining(rotation, policy.PHASES[self._provider.strategy][phase]):
            self._write("entering", state=state.value, waits=self._patience.waits(state))
            self._enter[state](rotation)
            self._write("completed", state=state.value, **({"new_fingerprint": self._new(rotation).fingerprint} if state is State.CREATED else {}))
            rotation = self._latest()
        return rotation

    def _record(self, rotation: Rotation, acknowledged: Sequence[tuple[str, str]]) -> None:
        expected = policy.consumed_fingerprint(self._secret())
        said: dict[str, str] = {}
        for consumer, fingerprint in acknowledged:
            # A consumer tells of every secret it uses: the fingerprint that is waited for counts, whichever it tells last.
            if said.get(consumer) != expected:
                said[consumer] = fingerprint
        old = self._old(rotation).fingerprint
        for consumer in rotation.consumers:
            # One that is back on the old value (its application was rolled back) has not switched any more; of other secrets' values that is not known.
            before = () if said.get(consumer) == old else (expected,)
            if consumer in said and rotation.acknowledged.get(consumer) not in (*before, said[consumer]):
                self._write("acknowledged", consumer=consumer, fingerprint=said[consumer])

    def _preflight(self, rotation: Rotation) -> None:
        ahead = self._secret().current.created - self._clock.now()
        if ahead > SKEW:
            raise OpsError(
                f"The clock of this control node is off, or that of another one was: the current version of {self._name} was made {ahead:.0f} s from now."
                " Ages, grace and what is due follow from it. Set the clock right, then run again.",
                skew=round(ahead),
            )
        self._provider.check(self._old(rotation))

    def _create(self, rotation: Rotation) -> None:
        secret = self._secret()
        if secret.pending is not None and secret.pending.id == rotation.new:
            return  # by the run that was killed
        self._clear(rotation)
        value = self._provider.make(secret, rotation.new)
        self._store.stage(self._name, policy.version(value, rotation.new, self._clock.now(), secrets.token_hex(16)))

    def _clear(self, rotation: Rotation) -> None:
        """See that a provider that makes credentials has none that nobody knows the secret of: a run was killed before it could store the answer."""
        listed = self._provider.listed()
        if listed is None:
            return
        if rotation.seen is None:
            self._write("seen", ids=listed)
        else:
            self._provider.discard([each for each in listed if each not in rotation.seen])

    def _set(self, rotation: Rotation) -> None:
        self._provider.accept(self._new(rotation))
        if self._provider.accepted_by_consumers:
            self._require_acknowledged(rotation)

    def _test(self, rotation: Rotation) -> None:
        self._provider.test(self._old(rotation), self._new(rotation))

    def _publish(self, rotation: Rotation) -> None:
        # Others may keep a copy of the keys that the consumers publish: until it is too old, the new one is unknown to them.
        passed = self._passed_since(rotation.entered[State.SET])
        while (left := self._patience.waits(State.PUBLISHED) - passed()) > 0:
            self._clock.sleep(min(left, self._patience.interval))
        self._store.promote(self._name, rotation.old, rotation.new)

    def _propagate(self, rotation: Rotation) -> None:
        self._require_acknowledged(rotation)

    def _require_acknowledged(self, rotation: Rotation) -> None:
        left = policy.missing(rotation, policy.consumed_fingerprint(self._secret()))
        if left:
            raise OpsError(
                f"{len(left)} of {len(rotation.consumers)} consumers of {self._name} have not acknowledged the new version: {', '.join(left)}. "
                "Nothing was taken away; switch them, then run the phase again.",
                state=rotation.state.value,
                missing=left,
            )

    def _grace(self, rotation: Rotation) -> None:
        self._require_acknowledged(rotation)  # a consumer may have gone back since
        if self._patience.compromised:
            return
        old = self._old(rotation)
        begun = self._clock.monotonic()
        passed = self._passed_since(rotation.entered[State.PROPAGATED])
        silent_since: float | None = None
        while True:
            uses = self._provider.uses(old)
            now = self._clock.monotonic()
            silent_since = None if uses else (now if silent_since is None else silent_since)
            quiet = silent_since is not None and now - silent_since >= self._patience.quiet
            if quiet and passed() >= self._patience.grace:
                return
            if now - begun >= self._patience.timeout:
                seen = f"{uses} {self._provider.in_use}" if uses else "the old credential was not unused for long enough"
                raise OpsError(
                    f"After {self._patience.timeout:g} s of grace for {self._name}, {seen}. Nothing was taken away and both credentials work: "
                    "find who still uses the old one, then run phase finish again.",
                    state=rotation.state.value,
                    sessions=uses,
                )
            self._clock.sleep(self._patience.interval)

    def _passed_since(self, entered: float) -> Callable[[], float]:
        """Seconds since a state was entered, so that a run that was killed does not wait from the start again; setting the clock meanwhile changes nothing."""
        begun, before = self._clock.monotonic(), max(self._clock.now() - entered, 0.0)
        return lambda: before + self._clock.monotonic() - begun

    def _disable(self, rotation: Rotation) -> None:
        self._provider.disable(self._old(rotation))

    def _observe(self, rotation: Rotation) -> None:
        if self._provider.accepted_by_consumers:
            self._require_acknowledged(rotation)
        end = self._clock.monotonic() + self._patience.waits(State.OBSERVED)
        while True:
            try:
                self._provider.works(self._new(rotation))
            except OpsError as error:
                raise self._reopen(rotation, error) from error
            if self._clock.monotonic() >= end:
                return
            self._clock.sleep(self._patience.interval)

    def _destroy(self, rotation: Rotation) -> None:
        self._provider.destroy(self._old(rotation))

    def _give_up(self, error: OpsError) -> OpsError:
        """Go back after a failure before PUBLISHED, and say how that went."""
        rotation = self._latest()
        if self._published(rotation):
            return error
        details = {**error.details, "failed_after": rotation.state.value}
        self._write("failed", state=rotation.state.value)
        try:
            self._withdraw(rotation)
        except OpsError as second:
            return OpsError(
                f"{error.message} The rotation of {self._name} stays {rotation.state.value}, because going back failed too: {second.message} "
                "The current credential is untouched; run phase begin or phase back again.",
                **details,
            )
        return OpsError(f"{error.message} The rotation of {self._name} went back; the current credential is untouched.", **details)

    def _reopen(self, rotation: Rotation, error: OpsError) -> OpsError:
        """The new credential failed while the old one was disabled: both are to work again."""
        if self._patience.compromised:
            return OpsError(f"{error.message} The old credential of {self._name} stays disabled, because it is compromised.", **error.details)
        try:
            self._enable(rotation)
        except OpsError as second:
            return OpsError(f"{error.message} Enabling the old credential of {self._name} again failed too: {second.message} Run phase back.", **error.details)
        return OpsError(f"{error.message} The old credential of {self._name} was enabled again.", **error.details)

    def _enable(self, rotation: Rotation) -> None:
        self._provider.enable(self._old(rotation))
        self._write("went_back", state=State.GRACE.value)

    def _published(self, rotation: Rotation) -> bool:
        """The store decides: a run may have been killed between the promotion and its record."""
        return rotation.state.order >= State.PUBLISHED.order or self._secret().current.id == rotation.new

    def _withdraw(self, rotation: Rotation) -> None:
        new = self._secret().version(rotation.new)
        if new is not None:
            # The provider forgets it first: a value that is gone from the store could not be withdrawn any more.
            self._provider.withdraw(new)
            self._store.drop_pending(self._name, rotation.new)
        elif rotation.seen is not None:
            self._clear(rotation)
        self._write("went_back", state=State.PLANNED.value)

    def _live(self) -> Rotation:
        rotation = self._records.rotation(self._name)
        if rotation is None or not rotation.live:
            raise OpsError(f"No rotation of {self._name} is in progress.")
        return rotation

    def _latest(self) -> Rotation:
        rotation = self._records.rotation(self._name)
        if rotation is None:
            raise OpsError(f"The journal of {self._name}'s rotations is gone while it was in use.")
        return rotation

    def _secret(self) -> Secret:
        secret = self._store.get(self._name)
        if secret is None:
            raise OpsError(f"There is no secret {self._name} in the store: make it with groundcrew.ops.secret first.")
        return secret

    def _old(self, rotation: Rotation) -> Version:
        return self._version(rotation.old)

    def _new(self, rotation: Rotation) -> Version:
        return self._version(rotation.new)

    def _version(self, version_id: str) -> Version:
        version = self._secret().version(version_id)
        if version is None:
            raise OpsError(f"The version {version_id} of {self._name} is not in the store any more: it was changed by hand during a rotation.")
        return version
