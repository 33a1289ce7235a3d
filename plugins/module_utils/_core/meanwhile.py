# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Something small done again and again beside something long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event, Thread


@contextmanager
def meanwhile(act: Callable[[Event], object], every: float, patience: float | None = None) -> Iterator[None]:
    """Call ``act`` in a thread, again and again while the body runs, for the first time after ``every`` seconds.

    act: is given what is set when the body has ended, and may set it itself to be called no more. It runs in the context of whoever began.
    patience: seconds after the body's end in which a call that is under way may come back; None waits for it.
    """
    over = Event()

    def again() -> None:
        while not over.wait(every):
            act(over)

    thread = Thread(target=copy_context().run, args=(again,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(patience)
