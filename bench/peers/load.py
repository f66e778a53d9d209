"""The load: an operation, over and over, by so many workers, each of which has one request in progress."""

import asyncio
import contextlib
import random
import secrets
import time

import aiohttp
from systems import PAGE, Problem

WARM_UP = 0.5  # seconds at most, in which connections are opened
PATIENCE = 10  # seconds for a message to arrive
# Before each live message, so that none is sent just after the system has looked for new ones.
LIVE_PAUSE = 0.5  # seconds, at most
# Streams have no end; each waits for the next byte, and all systems send some when there is no message.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)


def new_text():
    """The text of a message: 96 bytes, and different from all others."""
    return f"{secrets.token_hex(8)} {'lorem ipsum ' * 8}"[:96]


@contextlib.asynccontextmanager
async def session(system):
    """Gives the system connections of its own, and names it in what goes wrong."""
    name, connector = system.name, aiohttp.TCPConnector(limit=0)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, raise_for_status=True) as system.http:
            yield
    except aiohttp.ClientResponseError as fault:
        fix = system.fixes.get(fault.status, f"see its log, and whether --{name} names the right system")
        raise Problem(f"{name} refuses {fault.request_info.real_url} with {fault.status}: {fix}") from fault
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as fault:
        fix = f"start it, or correct --{name} (such as http://127.0.0.1:8000)"
        raise Problem(f"{name} cannot be reached at {system.url} ({fault}): {fix}") from fault
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as fault:  # time-outs, too
        what = f"does not respond as {name} does, or in time ({type(fault).__name__}: {fault})"
        raise Problem(f"{system.url} {what}: see its log, correct --{name}, or use fewer --connections") from fault


async def prepare(system):
    """Makes what the system needs, with the messages of a page, and checks that they can be read."""
    texts = [new_text() for _ in range(PAGE)]
    async with session(system):
        await system.prepare(texts)
        found = await system.page()
    if sorted(found) != sorted(texts):
        raise Problem(f"{system.name} does not return the {PAGE} messages that were sent: let nobody else send")


async def run(system, operation, connections, seconds):
    """One run: the seconds of each operation, of the whole, and of the client's processor."""
    async with session(system), OPERATIONS[operation](system) as step:
        await repeat(step, connections, min(WARM_UP, seconds))
        return await repeat(step, connections, seconds)


async def repeat(step, connections, seconds):
    """Repeats an operation, which returns the seconds that it took, by so many workers for this time."""
    times, begin, processor = [], time.perf_counter(), time.process_time()

    async def work():
        while time.perf_counter() - begin < seconds:
            times.append(await step())

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(connections):
                workers.create_task(work())
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return times, time.perf_counter() - begin, time.process_time() - processor


@contextlib.asynccontextmanager
async def requesting(operation):
    """An operation that ends with its response."""

    async def measured():
        begin = time.perf_counter()
        await operation()
        return time.perf_counter() - begin

    yield measured


@contextlib.asynccontextmanager
async def arriving(system):
    """Sending a message while a stream is open, until it arrives there."""
    waiting, stream = {}, system.listen()

    async def listen():
        async for text in stream:
            if text in waiting:
                waiting.pop(text).set_result(time.perf_counter())
        raise Problem(f"{system.name} at {system.url} has ended its stream: use fewer --seconds")

    async def measured():
        await asyncio.sleep(random.uniform(0, LIVE_PAUSE))
        text, begin = new_text(), time.perf_counter()
        waiting[text] = arrived = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(PATIENCE):
            await system.send(text)
            return await arrived - begin

    async with asyncio.timeout(PATIENCE):
        await anext(stream)
    listener = asyncio.create_task(listen())
    try:
        yield measured
    finally:
        if not listener.cancel():
            listener.result()  # why nothing arrives


OPERATIONS = {
    "send": lambda system: requesting(lambda: system.send(new_text())),
    "page": lambda system: requesting(system.page),
    "live": arriving,
}
