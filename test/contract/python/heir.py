"""One of two consumers of a group: the first leaves all that it is given, the second takes it over.

    heir.py ADDRESS[,ADDRESS...] STREAM[,STREAM...] GROUP leave|take
"""

import asyncio
import json
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples/python"
sys.path[:0] = [str(EXAMPLE), str(EXAMPLE / "gen")]

from slotcast_client import Consumer, Slotcast  # noqa: E402

ENTRIES = 40
CLAIM_MIN_IDLE = {"nanos": 300_000_000}


def tell(event: str, **values: object) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


async def main(addresses: str, streams: str, group: str, what: str) -> None:
    keys = [key.encode() for key in streams.split(",")]
    options = {"group": group.encode(), "consumer": what.encode(), "create_from": "0"}
    if what == "take":
        options["claim_min_idle"] = CLAIM_MIN_IDLE
    async with Slotcast(addresses.split(",")) as client:
        if what == "leave":
            for number in range(ENTRIES):
                key, value = keys[number % len(keys)], f"entry-{number}"
                entry_id = await client.append(key, {b"value": value.encode()})
                tell("appended", key=key.decode(), id=entry_id, value=value)
        async with Consumer(client, keys, **options) as consumer:
            async for key, consumed in consumer:
                name, entry_id = key.decode(), consumed.entry.id
                if what == "take":
                    tell("settled", key=name, id=entry_id, count=await consumer.ack(key, entry_id))
                tell("entry", key=name, id=entry_id, redelivered=consumed.redelivered)


asyncio.run(main(*sys.argv[1:]))
