"""`asyncio` over `wasi:io/poll`: what is awaited at once is waited for at once.

There are no threads and no sockets, so an event loop waits for two things only: time, and what the host calls a pollable.
"""

import asyncio
import time
from asyncio import base_events, events

from wit_world.imports import monotonic_clock, poll


class _Waiter:
    """What an event loop calls its selector: the pollables that tasks wait for."""

    def __init__(self) -> None:
        self.waiting: dict[asyncio.Future, poll.Pollable] = {}

    def select(self, timeout: float | None) -> list[asyncio.Future]:
        """The futures whose pollables are ready, after `timeout` seconds at the latest; without one, after as long as it takes."""
        waiting = {future: pollable for future, pollable in self.waiting.items() if not future.done()}
        if timeout is not None and timeout <= 0:
            return [future for future, pollable in waiting.items() if pollable.ready()]
        if not waiting:
            if timeout is None:
                raise RuntimeError("every task waits for something that only another task could do")
            time.sleep(timeout)
            return []
        futures = list(waiting)
        if timeout is None:
            ready = poll.poll(list(waiting.values()))
        else:
            with monotonic_clock.subscribe_duration(int(timeout * 1e9)) as timer:
                ready = poll.poll([*waiting.values(), timer])
        return [futures[index] for index in ready if index < len(futures)]

    def close(self) -> None:
        self.waiting.clear()

    def get_map(self) -> dict:
        return {}


class Loop(base_events.BaseEventLoop):
    """An event loop on which tasks may wait for pollables."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Waiter()

    async def until_ready(self, pollable: poll.Pollable) -> None:
        """Waits for `pollable`, which stays the caller's."""
        future = self.create_future()
        self._selector.waiting[future] = pollable
        try:
            await future
        finally:
            self._selector.waiting.pop(future, None)

    def run_in_executor(self, executor, func, *args) -> asyncio.Future:
        """Without threads, a function runs at once, and nothing beside it."""
        self._check_closed()
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, timeout=None) -> None:
        return None

    def _process_events(self, ready: list[asyncio.Future]) -> None:
        for future in ready:
            if not future.done():
                future.set_result(None)

    def _write_to_self(self) -> None:
        """Would wake the loop from another thread."""

    def close(self) -> None:
        if not self.is_closed():
            self._selector.close()
        super().close()


class _Policy(events._BaseDefaultEventLoopPolicy):
    _loop_factory = Loop


async def until_ready(pollable: poll.Pollable) -> None:
    """Waits for `pollable` in the running loop; it stays the caller's."""
    await asyncio.get_running_loop().until_ready(pollable)


def block(pollable: poll.Pollable) -> None:
    """Waits for `pollable`, and for nothing else meanwhile."""
    poll.poll([pollable])


def install() -> None:
    """Makes this the loop of `asyncio.run`; while the component is built."""
    events._set_event_loop_policy(_Policy())
    asyncio.SelectorEventLoop = asyncio.EventLoop = Loop
