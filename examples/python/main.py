"""The contract that every client keeps (test/contract): appends to streams and consumes them.

    main.py ADDRESS[,ADDRESS...] STREAM[,STREAM...] GROUP RATE

Appends RATE entries a second until a line `stop` comes in, and consumes until `end` or the end of the input. Tells
what happens as lines of JSON.
"""

import asyncio
import itertools
import json
import sys
import time

from slotcast_client import Consumer, Slotcast

AT_ONCE = 256


def tell(event: str, **values: object) -> None:
    print(json.dumps({"event": event, **values}), flush=event != "entry")


async def append_all(client: Slotcast, keys: list[bytes], rate: float, stop: asyncio.Event) -> None:
    room = asyncio.Semaphore(AT_ONCE)
    begin = time.monotonic()

    async def append(key: bytes, value: str) -> None:
        try:
            entry_id = await client.append(key, {b"value": value.encode()})
            tell("appended", key=key.decode(), id=entry_id, value=value)
        finally:
            room.release()

    async with asyncio.TaskGroup() as tasks:
        for number in itertools.count():
            if stop.is_set():
                break
            await room.acquire()
            tasks.create_task(append(keys[number % len(keys)], f"python-{number}"))
            await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
    tell("stopped")


async def consume_all(consumer: Consumer) -> None:
    async for entry in consumer:
        key, value = entry.key.decode(), dict(entry.fields)[b"value"].decode()
        tell("entry", key=key, id=entry.id, value=value, redelivered=entry.redelivered)

        def settled(done: asyncio.Future, key: str = key, id: str = entry.id) -> None:
            tell("settled", key=key, id=id, count=done.result())

        consumer.ack(entry).add_done_callback(settled)


def complain(task: asyncio.Task) -> None:
    if not task.cancelled() and task.exception():
        tell("failed", text=repr(task.exception()))


async def main(addresses: str, streams: str, group: str, rate: str) -> None:
    keys = [key.encode() for key in streams.split(",")]
    lines = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(lines)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    stop = asyncio.Event()
    options = {"group": group.encode(), "consumer": b"python", "create_from": "0"}
    async with Slotcast(addresses.split(",")) as client:
        async with client.consume(keys, **options) as consumer:
            appends = asyncio.create_task(append_all(client, keys, float(rate), stop))
            appends.add_done_callback(complain)
            consumes = asyncio.create_task(consume_all(consumer))
            consumes.add_done_callback(complain)
            while line := await lines.readline():
                if line.strip() == b"stop":
                    stop.set()
                elif line.strip() == b"end":
                    break
            stop.set()
            await appends
            consumes.cancel()
        tell("done", redirects=client.redirects)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
