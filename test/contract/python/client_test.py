"""The client in Python beside nodes that do what real ones do seldom: answer INDOUBT, fall silent, tell old news."""

import asyncio
import contextlib
import sys
import unittest
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples/python"
sys.path[:0] = [str(EXAMPLE), str(EXAMPLE / "gen")]

import grpc  # noqa: E402
from google.protobuf.any_pb2 import Any  # noqa: E402
from google.rpc.error_details_pb2 import RetryInfo  # noqa: E402
from google.rpc.status_pb2 import Status  # noqa: E402
from slotcast.v1 import consume_pb2, pubsub_service_pb2, stream_service_pb2, topology_pb2  # noqa: E402
from slotcast.v1.group_service_pb2_grpc import GroupServiceServicer, add_GroupServiceServicer_to_server  # noqa: E402
from slotcast.v1.pubsub_service_pb2_grpc import PubSubServiceServicer, add_PubSubServiceServicer_to_server  # noqa: E402
from slotcast.v1.stream_service_pb2_grpc import StreamServiceServicer, add_StreamServiceServicer_to_server  # noqa: E402
from slotcast_client import Consumer, Slotcast, slot_of  # noqa: E402

WAIT_S = 10


def moved(address: str, epoch: int, first: int = 0, last: int = 16383) -> topology_pb2.SlotMoved:
    host, port = address.split(":")
    leader = {"host": host, "port": int(port)} if host else None
    return topology_pb2.SlotMoved(leader=leader, config_epoch=epoch, range={"first": first, "last": last})


async def refuse(context: grpc.aio.ServicerContext, code: grpc.StatusCode, *details) -> None:
    """Ends a call as a node does."""
    status = Status()
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(code, "refused")


class Node(GroupServiceServicer, PubSubServiceServicer, StreamServiceServicer):
    """A node whose outcomes are given in advance, and which then does what it is asked."""

    def __init__(self):
        self.outcomes: list = []
        self.asked: list = []
        self.consume = None

    async def _unary(self, request, context):
        self.asked.append(request)
        if self.outcomes:
            await refuse(context, *self.outcomes.pop(0))

    async def Append(self, request, context):
        await self._unary(request, context)
        return stream_service_pb2.StreamServiceAppendResponse(id="1-1")

    async def Publish(self, request, context):
        await self._unary(request, context)
        return pubsub_service_pb2.PublishResponse(receivers=1)

    async def Consume(self, requests, context):
        async for frame in self.consume(requests):
            yield frame


@contextlib.asynccontextmanager
async def node():
    server, served = grpc.aio.server(), Node()
    add_GroupServiceServicer_to_server(served, server)
    add_PubSubServiceServicer_to_server(served, server)
    add_StreamServiceServicer_to_server(served, server)
    served.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield served
    finally:
        await server.stop(None)


def entries(key: bytes, *ids: str) -> consume_pb2.ConsumeResponse:
    found = [{"entry": {"id": id}} for id in ids]
    batch = {"key": key, "entries": found, "resume_token": ids[-1].encode()}
    return consume_pb2.ConsumeResponse(entries=[batch])


class MapTest(unittest.TestCase):
    def test_slots_are_those_of_redis(self):
        self.assertEqual(slot_of(b"123456789"), 12739)
        self.assertEqual(slot_of(b"{user1000}.following"), slot_of(b"user1000"))
        self.assertEqual(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"))
        self.assertEqual(slot_of(b"foo{bar}{zap}"), slot_of(b"bar"))
        self.assertEqual(slot_of(b"foo{}{bar}"), 8363)

    def test_a_redirect_that_is_older_than_the_map_is_ignored(self):
        client = Slotcast(["a:1"])
        client.learn(moved("b:2", 7), "a:1")
        client.learn(moved("c:3", 6), "b:2")
        self.assertEqual(client.leader_of(b"key"), "b:2")
        client.learn(moved("c:3", 7), "b:2")
        self.assertEqual(client.leader_of(b"key"), "c:3")

    def test_a_redirect_is_learnt_of_its_range_only(self):
        client = Slotcast(["a:1"])
        slot = slot_of(b"key")
        client.learn(moved("b:2", 1, slot, slot), "a:1")
        self.assertEqual(client.leader_of(b"key"), "b:2")
        self.assertEqual(client.leader_of(b"other"), "a:1")

    def test_who_leads_no_more_is_asked_last(self):
        client = Slotcast(["a:1", "b:2"])
        client.learn(moved("a:1", 1), "b:2")
        client.learn(topology_pb2.SlotMoved(slot=1, config_epoch=1), "a:1")
        self.assertEqual(client.leader_of(b"key"), "b:2")


class CallTest(unittest.IsolatedAsyncioTestCase):
    async def test_an_append_in_doubt_is_repeated_with_the_same_mark(self):
        async with node() as served, Slotcast([served.address]) as client:
            served.outcomes = [(grpc.StatusCode.UNKNOWN,), (grpc.StatusCode.UNAVAILABLE,)]
            self.assertEqual(await client.append(b"key", {b"a": b"b"}), "1-1")
            self.assertEqual(len(served.asked), 3)
            self.assertEqual(len({request.producer.SerializeToString() for request in served.asked}), 1)
            await client.append(b"key", {b"a": b"b"})
            self.assertEqual(served.asked[-1].producer.sequence, 2)

    async def test_a_publish_in_doubt_is_not_repeated(self):
        retry = RetryInfo(retry_delay={"nanos": 1_000_000})
        for outcome in [(grpc.StatusCode.UNAVAILABLE,), (grpc.StatusCode.UNKNOWN,), (grpc.StatusCode.UNKNOWN, retry)]:
            async with node() as served, Slotcast([served.address]) as client:
                served.outcomes = [outcome]
                with self.assertRaises(grpc.aio.AioRpcError):
                    await client.publish(b"channel", b"message")
                self.assertEqual(len(served.asked), 1)

    async def test_a_publish_that_was_refused_is_repeated(self):
        retry = RetryInfo(retry_delay={"nanos": 1_000_000})
        async with node() as served, Slotcast([served.address]) as client:
            served.outcomes = [(grpc.StatusCode.UNAVAILABLE, retry), (grpc.StatusCode.RESOURCE_EXHAUSTED, retry)]
            self.assertEqual(await client.publish(b"channel", b"message"), 1)
            self.assertEqual(len(served.asked), 3)

    async def test_what_fails_for_good_is_not_repeated(self):
        async with node() as served, Slotcast([served.address]) as client:
            served.outcomes = [(grpc.StatusCode.FAILED_PRECONDITION,)]
            with self.assertRaises(grpc.aio.AioRpcError):
                await client.append(b"key", {b"a": b"b"})
            self.assertEqual(len(served.asked), 1)

    async def test_a_redirect_is_followed_and_counted(self):
        async with node() as first, node() as second, Slotcast([first.address]) as client:
            first.outcomes = [(grpc.StatusCode.FAILED_PRECONDITION, moved(second.address, 1))]
            await client.append(b"key", {b"a": b"b"})
            await client.append(b"key", {b"a": b"b"})
            self.assertEqual((len(first.asked), len(second.asked), client.redirects), (1, 2, 1))


class ConsumeTest(unittest.IsolatedAsyncioTestCase):
    async def consume(self, client: Slotcast, count: int) -> list:
        """Consumes and acks `count` entries. Returns their IDs and what the acks counted."""
        seen, acks = [], []
        async with Consumer(client, [b"key"], group=b"g", consumer=b"c") as consumer:
            async with asyncio.timeout(WAIT_S):
                async for key, consumed in consumer:
                    seen.append(consumed.entry.id)
                    acks.append(consumer.ack(key, consumed.entry.id))
                    if len(seen) == count:
                        break
                return seen, await asyncio.gather(*acks)

    async def test_an_ack_in_doubt_is_repeated_and_its_entry_not_processed_twice(self):
        for error in ({"code": "INDOUBT"}, {"code": "INDOUBT", "retry_delay": {"nanos": 1_000_000}}):
            async with node() as served, Slotcast([served.address]) as client:

                async def consume(requests):
                    acks = 0
                    yield entries(b"key", "1-1")
                    async for request in requests:
                        for ack in request.acks:
                            acks += 1
                            if acks == 1:
                                yield entries(b"key", "1-1")
                                yield consume_pb2.ConsumeResponse(settled=[{"tag": ack.tag, "error": error}])
                            else:
                                yield consume_pb2.ConsumeResponse(settled=[{"tag": ack.tag, "count": 1}] * 2)
                                yield entries(b"key", "2-2")

                served.consume = consume
                self.assertEqual(await self.consume(client, 2), (["1-1", "2-2"], [1, 1]))

    async def test_a_stream_that_moves_under_an_ack_is_added_once_and_resumed(self):
        async with node() as first, node() as second, Slotcast([first.address]) as client:
            added = []

            async def leave(requests):
                yield entries(b"key", "1-1")
                async for request in requests:
                    for ack in request.acks:
                        away = {"moved": moved(second.address, 1)}
                        told = {"settled": [{"tag": ack.tag, "redirect": away}]}
                        yield consume_pb2.ConsumeResponse(**told, ended=[{"key": b"key", "redirect": away}])

            async def take(requests):
                async for request in requests:
                    added.extend(request.add)
                    for ack in request.acks:
                        yield consume_pb2.ConsumeResponse(settled=[{"tag": ack.tag, "count": 1}])
                        if ack.ids == ["1-1"] and len(added) == 1:
                            yield entries(b"key", "2-2")

            first.consume, second.consume = leave, take
            seen, counts = await self.consume(client, 2)
            self.assertEqual((sorted(set(seen)), set(counts)), (["1-1", "2-2"], {1}))
            self.assertEqual([stream.resume_token for stream in added], [b"1-1"])

    async def test_a_node_that_falls_silent_is_given_up(self):
        async with node() as first, node() as second, Slotcast([first.address, second.address]) as client:

            async def be_silent(requests):
                yield consume_pb2.ConsumeResponse(opened={})
                await asyncio.sleep(60)

            async def serve(requests):
                yield entries(b"key", "1-1")
                async for request in requests:
                    for ack in request.acks:
                        yield consume_pb2.ConsumeResponse(settled=[{"tag": ack.tag, "count": 1}])

            first.consume, second.consume = be_silent, serve
            self.assertEqual(await self.consume(client, 1), (["1-1"], [1]))

    async def test_what_is_not_there_to_be_consumed_is_told(self):
        async with node() as served, Slotcast([served.address]) as client:

            async def consume(requests):
                error = {"code": "NOGROUP", "text": "NOGROUP no such group"}
                yield consume_pb2.ConsumeResponse(ended=[{"key": b"key", "error": error}])
                async for _ in requests:
                    pass

            served.consume = consume
            with self.assertRaisesRegex(RuntimeError, "NOGROUP no such group"):
                await self.consume(client, 1)


if __name__ == "__main__":
    unittest.main()
