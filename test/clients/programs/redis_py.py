"""What a user does with redis-py's RedisCluster.

    python3 redis_py.py HOST:PORT[,HOST:PORT...] KEY[,KEY...]      redis-py must be on PYTHONPATH
"""

import concurrent.futures
import json
import sys
import threading
import time

import redis
from redis.cluster import ClusterNode, RedisCluster

GROUP = "billing"
PIPELINE = 100
WAIT_S = 20
AGAIN_S = 30

ADDRESSES = [address.rsplit(":", 1) for address in sys.argv[1].split(",")]
KEYS = sys.argv[2].split(",")
# redis-py subscribes at the leader of this name's slot: the one that will be killed.
NEWS = f"{{{KEYS[0]}}}:all"

client = RedisCluster(
    startup_nodes=[ClusterNode(host, int(port)) for host, port in ADDRESSES],
    decode_responses=True,
)
threads = concurrent.futures.ThreadPoolExecutor()
# IDs of the entries acknowledged, by stream.
acknowledged = {}
heard = set()


def again(attempt):
    """Does it again after an exception, as every user does."""
    end = time.monotonic() + AGAIN_S
    while True:
        try:
            return attempt()
        except redis.RedisError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def eventually(what, holds, pause=0.05):
    end = time.monotonic() + AGAIN_S
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {AGAIN_S} s")
        time.sleep(pause)


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r} is not {expected!r}")


class Ear:
    """Listens in a thread of its own. A broadcast's subscription hangs on one node, which the client chose by the
    channel's name: when that is gone, a user makes another, as there is no other way in redis-py. Sharded ones are
    moved to their new nodes by a thread of redis-py's own. That may read a reply that this thread waits for, or the
    other way round, or close the connection that is being read: then the move has failed, which redis-py logs, and is
    only tried again when it is asked for."""

    def __init__(self, channels=(), patterns=(), shards=()):
        self.channels, self.patterns, self.shards = channels, patterns, shards
        self.subscribed = threading.Event()
        self.again = 0
        threading.Thread(target=self.listen, daemon=True).start()

    def subscribe(self):
        pubsub = client.pubsub(ignore_subscribe_messages=False)
        if self.channels:
            pubsub.subscribe(*self.channels)
        if self.patterns:
            pubsub.psubscribe(*self.patterns)
        for channel in self.shards:
            pubsub.ssubscribe(channel)
        return pubsub

    def listen(self):
        pubsub = again(self.subscribe)
        self.subscribed.set()
        while True:
            try:
                if self.shards:
                    pubsub.reinitialize_shard_subscriptions()
                    message = pubsub.get_sharded_message(timeout=0.05)
                else:
                    message = pubsub.get_message(timeout=0.5)
            except Exception as error:
                print(f"ear: {error!r}", file=sys.stderr)
                time.sleep(0.05)
                if not self.shards:
                    pubsub.close()
                    pubsub = again(self.subscribe)
                continue
            if message is not None and message["type"].endswith("message"):
                heard.add(f"{message['type']} {message['channel']} {message['data']}")


def hear(expected, publish):
    """Publishes until it is heard: interest reaches the other nodes a moment after the subscription."""

    def holds():
        if expected in heard:
            return True
        try:
            publish()
        except redis.RedisError as error:
            print(f"publish: {error!r}", file=sys.stderr)
        return expected in heard

    eventually(expected, holds)


def append(key, value):
    stream = f"{{{key}}}:stream"
    entry = client.xadd(stream, {"item": value})
    acknowledged.setdefault(stream, []).append(entry)
    return entry


def ids(read):
    """The IDs of what XREAD and XREADGROUP answer: a map of lists in RESP3, else a list of pairs."""
    rows = list(read.values())[0] if isinstance(read, dict) else read[0][1]
    if rows and isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], (list, tuple)):
        rows = rows[0]
    return [row[0] for row in rows]


def streams():
    for key in KEYS:
        stream = f"{{{key}}}:stream"
        first = append(key, "book")
        equal(client.xgroup_create(stream, GROUP, "$"), True)
        waiting = threads.submit(
            client.xreadgroup, GROUP, "w1", {stream: ">"}, count=10, block=WAIT_S * 1000
        )
        time.sleep(0.05)
        entry = append(key, "pen")
        equal(ids(waiting.result()), [entry])
        equal(client.xpending(stream, GROUP)["pending"], 1)
        equal(client.xpending_range(stream, GROUP, "-", "+", 10)[0]["consumer"], "w1")
        equal(client.xack(stream, GROUP, entry), 1)
        equal(client.xpending(stream, GROUP)["pending"], 0)
        pipeline = client.pipeline()
        for number in range(PIPELINE):
            pipeline.xadd(stream, {"n": number})
        added = pipeline.execute()
        equal(len(added), PIPELINE)
        acknowledged[stream].extend(added)
        equal(client.xinfo_stream(stream)["length"], PIPELINE + 2)
        equal(client.xinfo_groups(stream)[0]["name"], GROUP)
        equal(ids(client.xread({stream: "0"}, count=1)), [first])


def lists():
    for key in KEYS:
        mine, other = f"{{{key}}}:list", f"{{{key}}}:other"
        equal(client.rpush(mine, "a", "b", "c"), 3)
        equal(client.lpop(mine), "a")
        equal(client.rpoplpush(mine, mine), "c")
        equal(client.lrange(mine, 0, -1), ["c", "b"])
        equal(client.blmove(mine, other, WAIT_S, "LEFT", "RIGHT"), "c")
        equal(client.brpoplpush(mine, other, WAIT_S), "b")
        equal(client.lrange(other, 0, -1), ["b", "c"])
        waiting = threads.submit(client.blpop, mine, WAIT_S)
        time.sleep(0.05)
        equal(client.rpush(mine, "late"), 1)
        equal(list(waiting.result()), [mine, "late"])


def transaction():
    for key in KEYS:
        left, right = f"{{{key}}}:left", f"{{{key}}}:right"
        both = client.pipeline(transaction=True)
        both.xadd(left, {"n": 1}, id="1-1")
        both.xadd(right, {"n": 1}, id="1-1")
        equal(both.execute(), ["1-1", "1-1"])
        half = client.pipeline(transaction=True)
        half.xadd(left, {"n": 1}, id="2-1")
        half.xadd(right, {"n": 1}, id="1-1")
        try:
            half.execute()
        except redis.ResponseError as error:
            assert "equal or smaller than the target" in str(error), error
        else:
            raise AssertionError("an ID that is too small was taken")


def broadcast():
    Ear(channels=[NEWS]).subscribed.wait(WAIT_S)
    hear(f"message {NEWS} hello", lambda: client.publish(NEWS, "hello"))


def patterns():
    Ear(patterns=[f"{NEWS}.*"]).subscribed.wait(WAIT_S)
    hear(f"pmessage {NEWS}.one hello", lambda: client.publish(f"{NEWS}.one", "hello"))


def sharded():
    Ear(shards=[f"{{{key}}}:news" for key in KEYS]).subscribed.wait(WAIT_S)
    for key in KEYS:
        channel = f"{{{key}}}:news"
        hear(f"smessage {channel} hello", lambda: client.spublish(channel, "hello"))


def streams_again():
    for key in KEYS:
        stream = f"{{{key}}}:stream"
        again(lambda: append(key, "again"))
        held = {row[0] for row in again(lambda: client.xrange(stream))}
        for entry in acknowledged[stream]:
            assert entry in held, f"{entry} is lost"
        read = again(lambda: client.xreadgroup(GROUP, "w1", {stream: ">"}, count=1))
        equal(len(ids(read)), 1)


def lists_again():
    for key in KEYS:
        mine, other = f"{{{key}}}:list", f"{{{key}}}:other"
        equal(again(lambda: client.lrange(other, 0, -1)), ["b", "c"])
        again(lambda: client.rpush(mine, "again"))
        equal(again(lambda: client.lpop(mine)), "again")


def broadcast_again():
    hear(f"message {NEWS} again", lambda: client.publish(NEWS, "again"))
    hear(f"pmessage {NEWS}.one again", lambda: client.publish(f"{NEWS}.one", "again"))


def sharded_again():
    for key in KEYS:
        channel = f"{{{key}}}:news"
        hear(f"smessage {channel} again", lambda: client.spublish(channel, "again"))


def tell(step):
    print(json.dumps({"step": step}), flush=True)


for step in (streams, lists, transaction, broadcast, patterns, sharded):
    step()
    tell(step.__name__)
tell("waiting")
for line in sys.stdin:
    if line.strip() == "killed":
        break
for step in (streams_again, lists_again, broadcast_again, sharded_again):
    step()
    tell(step.__name__.replace("_", "-"))
tell("done")
