"""The contract that every client keeps (test/contract): appends and consumes, publishes and subscribes.

    main.py ADDRESS[,ADDRESS...] STREAM[,STREAM...] CHANNEL[,CHANNEL...] GROUP RATE

Appends RATE entries a second and publishes until a line `stop` comes in; consumes and listens until `end` or
the end of the input. Tells what happens as lines of JSON.
"""

import asyncio
import itertools
import json
import pathlib
import sys
import time

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parent / "gen"))

from slotcast_client import IN_DOUBT, Consumer, Slotcast, Subscriber  # noqa: E402

AT_ONCE = 256
MESSAGES_A_SECOND = 20


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


async def publish_all(client: Slotcast, channels: list[bytes], stop: asyncio.Event) -> None:
    async def publish(turn: int) -> None:
        """The messages of one channel, one after the other: each waits for what became of the one before."""
        for number in itertools.count(turn, len(channels)):
            await asyncio.sleep(len(channels) / MESSAGES_A_SECOND)
            if stop.is_set():
                break
            channel, value = channels[turn], f"python-{number}"
            try:
                count = await client.publish(channel, value.encode())
                tell("published", key=channel.decode(), value=value, count=count)
            except grpc.aio.AioRpcError as error:
                if error.code().name not in IN_DOUBT:
                    raise

    async with asyncio.TaskGroup() as tasks:
        for turn in range(len(channels)):
            tasks.create_task(publish(turn))


async def consume_all(consumer: Consumer) -> None:
    async for key, consumed in consumer:
        name, entry_id = key.decode(), consumed.entry.id
        value = consumed.entry.fields[0].value.decode()
        tell("entry", key=name, id=entry_id, value=value, redelivered=consumed.redelivered)

        def settled(done: asyncio.Future, key: str = name, id: str = entry_id) -> None:
            tell("settled", key=key, id=id, count=done.result())

        consumer.ack(key, entry_id).add_done_callback(settled)


async def hear_all(subscriber: Subscriber) -> None:
    async for event in subscriber:
        if event.HasField("started"):
            tell("subscribed", key=event.started.name.decode())
        else:
            tell("message", key=event.message.channel.decode(), value=event.message.payload.decode())


def complain(task: asyncio.Task) -> None:
    if not task.cancelled() and task.exception():
        tell("failed", text=repr(task.exception()))


def start(work) -> asyncio.Task:
    task = asyncio.create_task(work)
    task.add_done_callback(complain)
    return task


async def main(addresses: str, streams: str, channels: str, group: str, rate: str) -> None:
    keys = [key.encode() for key in streams.split(",")]
    names = [name.encode() for name in channels.split(",")]
    lines = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(lines)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    stop = asyncio.Event()
    options = {"group": group.encode(), "consumer": b"python", "create_from": "0"}
    async with Slotcast(addresses.split(",")) as client:
        async with Consumer(client, keys, **options) as consumer, Subscriber(client, names) as subscriber:
            listening = [start(consume_all(consumer)), start(hear_all(subscriber))]
            working = [
                start(append_all(client, keys, float(rate), stop)),
                start(publish_all(client, names, stop)),
            ]
            while (line := await lines.readline()).strip() not in (b"", b"end"):
                if line.strip() == b"stop":
                    stop.set()
                    await asyncio.wait(working)
                    tell("stopped")
            for task in listening:
                task.cancel()
        tell("done", redirects=client.redirects)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
