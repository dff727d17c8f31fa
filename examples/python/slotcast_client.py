"""A client for Slotcast over gRPC, on asyncio: appends, consumes as one of a group, publishes and subscribes.

Needs grpcio and protobuf, and on the path the stubs that `make` puts into gen/. How it is used: main.py.
"""

import asyncio
import binascii
import copy
import itertools
import random
import re
import time
from typing import AsyncIterator, Callable, Mapping, Sequence

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from slotcast.v1.consume_pb2 import ConsumeAck, ConsumedEntry, ConsumeRequest, ConsumeResponse, ConsumeSettled
from slotcast.v1.group_service_pb2_grpc import GroupServiceStub
from slotcast.v1.producer_pb2 import Producer
from slotcast.v1.pubsub_pb2 import SUBSCRIPTION_KIND_SHARDED, SubscribeRequest, SubscribeResponse
from slotcast.v1.pubsub_service_pb2 import PublishRequest
from slotcast.v1.pubsub_service_pb2_grpc import PubSubServiceStub
from slotcast.v1.reply_pb2 import Error
from slotcast.v1.stream_service_pb2 import StreamServiceAppendRequest
from slotcast.v1.stream_service_pb2_grpc import StreamServiceStub
from slotcast.v1.topology_pb2 import SlotMoved

PATIENCE_S = 30.0  # a call is tried so long
TRY_S = 2.0  # one attempt of it; a node that is paused answers nothing
HEARTBEAT = Duration(seconds=1)  # a node is heard so often; one that is silent for two of them is given up
# Large frames; and a node that was away for long is dialled each second, not each two minutes.
CHANNEL_OPTIONS = [("grpc.max_receive_message_length", 2**26), ("grpc.max_reconnect_backoff_ms", 1000)]
# How a call ends of which nobody knows whether it was done: without an answer, or with INDOUBT.
IN_DOUBT = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN"}
SLOTS = 16384


def slot_of(name: bytes) -> int:
    """The slot of a key or channel: CRC16 of what stands in the first braces, else of the whole name."""
    tag = re.match(rb"[^{]*{([^}]+)}", name)
    return binascii.crc_hqx(tag[1] if tag else name, 0) % SLOTS


def unpack(error: grpc.aio.AioRpcError, message) -> bool:
    """Fills a message from the details of a failed call, if one of them is of its type."""
    packed = dict(tuple(error.trailing_metadata() or ())).get("grpc-status-details-bin", b"")
    return any(detail.Unpack(message) for detail in Status.FromString(packed).details)


def pause(attempt: int, at_least: Duration) -> float:
    """Seconds, beyond what a node asks for: drawn from 0 to 50 ms, twice that by each attempt, to 1 s."""
    return at_least.ToMilliseconds() / 1000 + random.uniform(0, min(1.0, 0.05 * 2 ** min(attempt, 5)))


class Slotcast:
    """A cluster: who leads which slot, a channel to each node, and a producer's numbers."""

    def __init__(self, addresses: Sequence[str]):
        self._addresses = list(addresses)  # the first is asked where nobody is known to lead
        self._leaders: list[str | None] = [None] * SLOTS
        self._epoch = 0
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._mark = Producer(producer_id=f"{random.getrandbits(128):032x}", epoch=1)
        self.redirects = 0

    async def __aenter__(self) -> "Slotcast":
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def append(self, key: bytes, fields: Mapping[bytes, bytes]) -> str:
        """Appends an entry, once however often it must be sent. Returns its ID."""
        self._mark.sequence += 1
        request = StreamServiceAppendRequest(key=key, producer=self._mark)
        for name, value in fields.items():
            request.fields.add(name=name, value=value)
        return (await self._ask(key, StreamServiceStub, "Append", request)).id

    async def publish(self, channel: bytes, payload: bytes) -> int:
        """Publishes on a sharded channel; fails IN_DOUBT rather than do it twice. Returns how many heard."""
        request = PublishRequest(publication={"channel": channel, "payload": payload, "sharded": True})
        return (await self._ask(channel, PubSubServiceStub, "Publish", request, is_marked=False)).receivers

    async def _ask(self, name: bytes, stub: Callable, method: str, request, *, is_marked: bool = True):
        """One call to whoever leads the name's slot; follows redirects, waits out elections."""
        end = time.monotonic() + PATIENCE_S
        for attempt in itertools.count():
            address = self.leader_of(name)
            try:
                return await getattr(stub(self.channel(address)), method)(request, timeout=TRY_S)
            except grpc.aio.AioRpcError as error:
                moved, retry = SlotMoved(), RetryInfo()
                code = error.code().name
                is_undone = unpack(error, moved) or (unpack(error, retry) and code != "UNKNOWN")
                if is_undone or code in IN_DOUBT:
                    self.learn(moved, address)
                if time.monotonic() > end or not (is_undone or (code in IN_DOUBT and is_marked)):
                    raise
            await asyncio.sleep(pause(attempt, retry.retry_delay))

    def channel(self, address: str) -> grpc.aio.Channel:
        if address not in self._channels:
            self._channels[address] = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        return self._channels[address]

    def leader_of(self, name: bytes) -> str:
        """The node that leads the name's slot, or one that will say who does."""
        return self._leaders[slot_of(name)] or self._addresses[0]

    def learn(self, moved: SlotMoved, teller: str) -> None:
        """Takes note of a redirect, unless it is older than the map. If it leads nowhere, ask others."""
        if not moved.HasField("leader"):
            self._leaders = [None if leader == teller else leader for leader in self._leaders]
            self._addresses.sort(key=lambda address: address == teller)  # it is the last now
            return
        self.redirects += 1
        if moved.config_epoch >= self._epoch:
            self._epoch = moved.config_epoch
            address = f"{moved.leader.host}:{moved.leader.port}"
            first, end = moved.range.first, moved.range.last + 1
            self._leaders[first:end] = [address] * (end - first)
            if address not in self._addresses:
                self._addresses.append(address)


class _Call:
    """A call to one node, and the frame that leaves next: whoever takes it puts more into it."""

    def __init__(self, address: str, opening, run: Callable):
        self.address, self._frame = address, copy.deepcopy(opening)
        self.has_frame = asyncio.Event()
        self.task = asyncio.create_task(run(self))

    @property
    def frame(self):
        self.has_frame.set()
        return self._frame

    async def frames(self) -> AsyncIterator:
        while await self.has_frame.wait():
            self.has_frame.clear()
            frame, self._frame = self._frame, type(self._frame)()
            yield frame


class _Placed:
    """Names, of streams or channels, at the nodes that lead them: one call to each of these."""

    def __init__(self, client: Slotcast, names: Sequence[bytes], stub: Callable, method: str, opening):
        self._client, self._stub, self._method, self._opening = client, stub, method, opening
        self._tries = dict.fromkeys(names, 0)
        self._calls: dict[str, _Call] = {}
        self._homes: dict[bytes, _Call] = {}
        self._found: asyncio.Queue = asyncio.Queue()
        self._is_closed = False

    async def __aenter__(self):
        for name in self._tries:
            self._place(name)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closed = True
        tasks = [call.task for call in self._calls.values() if call.task.cancel()]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aiter__(self) -> AsyncIterator:
        while not isinstance(found := await self._found.get(), Exception):
            yield found
        raise found

    def _place(self, name: bytes) -> None:
        if self._is_closed:
            return
        address = self._client.leader_of(name)
        if address not in self._calls:
            self._calls[address] = _Call(address, self._opening, self._run)
        self._homes[name] = self._calls[address]
        self._add(self._homes[name].frame, name)

    async def _place_anew(self, name: bytes, moved: SlotMoved = SlotMoved(), error: Error = Error()) -> None:
        """A name is no longer where it was: soon it goes where it was moved, or to whoever leads it."""
        call = self._homes.pop(name)
        if error.code and not error.HasField("retry_delay"):
            return await self._found.put(RuntimeError(error.text))
        self._client.learn(moved, call.address)
        self._tries[name] += 1
        asyncio.get_running_loop().call_later(pause(self._tries[name], error.retry_delay), self._place, name)

    async def _run(self, call: _Call) -> None:
        """One call from its first frame to its end, after which its names are placed anew."""
        stream = getattr(self._stub(self._client.channel(call.address)), self._method)(call.frames())
        try:
            while (frame := await asyncio.wait_for(stream.read(), 2 * HEARTBEAT.seconds)) is not grpc.aio.EOF:
                await self._take(call, frame)
        except (grpc.aio.AioRpcError, asyncio.TimeoutError) as error:
            if isinstance(error, grpc.aio.AioRpcError) and error.code().name not in IN_DOUBT:
                await self._found.put(error)
        finally:
            stream.cancel()
            call.has_frame.set()  # whoever waits to send it finds that the call is over
            del self._calls[call.address]
        for name in [name for name, home in self._homes.items() if home is call]:
            await self._place_anew(name)


class Consumer(_Placed):
    """A consumer of a group, over streams on all nodes; iterates over keys, each with a ConsumedEntry.
    `credit` is how many entries a node may send ahead; the options are the fields of ConsumeOpen."""

    def __init__(self, client: Slotcast, keys: Sequence[bytes], *, credit: int = 512, **options):
        opening = ConsumeRequest(open={**options, "heartbeat": HEARTBEAT}, credit={"entries": credit})
        super().__init__(client, keys, GroupServiceStub, "Consume", opening)
        self._tokens = dict.fromkeys(keys, b"")
        self._tags = itertools.count(1)
        self._acks: dict[int, tuple[ConsumeAck, asyncio.Future]] = {}
        self._acking: set[tuple[bytes, str]] = set()

    async def __aexit__(self, *_: object) -> None:
        """Waits for what is acknowledged to be settled, then hangs up."""
        if self._acks:
            await asyncio.wait([settled for _, settled in self._acks.values()], timeout=PATIENCE_S)
        await super().__aexit__()

    async def __aiter__(self) -> AsyncIterator[tuple[bytes, ConsumedEntry]]:
        async for call, key, consumed in super().__aiter__():
            call.frame.credit.entries += 1
            yield key, consumed

    def ack(self, key: bytes, entry_id: str) -> asyncio.Future:
        """An entry is done with; sent until that is settled. The future has 1, or 0 if it was before."""
        ack, settled = ConsumeAck(tag=next(self._tags), key=key, ids=[entry_id]), asyncio.Future()
        self._acks[ack.tag] = ack, settled
        self._acking.add((key, entry_id))
        self._send(ack)
        return settled

    def _send(self, ack: ConsumeAck) -> None:
        """Sends an ack to where its stream is consumed; while that is nowhere, placing it will."""
        call = self._homes.get(ack.key)
        if call is not None and ack.tag in self._acks:
            call.frame.acks.append(ack)

    def _add(self, frame: ConsumeRequest, key: bytes) -> None:
        frame.add.add(key=key, resume_token=self._tokens[key])
        frame.acks.extend(ack for ack, _ in self._acks.values() if ack.key == key)

    async def _take(self, call: _Call, frame: ConsumeResponse) -> None:
        for batch in frame.entries:
            self._tries[batch.key], self._tokens[batch.key] = 0, batch.resume_token
            for consumed in batch.entries:
                if (batch.key, consumed.entry.id) in self._acking:
                    call.frame.credit.entries += 1  # done with; its ack is under way
                else:
                    await self._found.put((call, batch.key, consumed))
        for settled in frame.settled:
            if settled.tag in self._acks:  # else it was sent twice, and settled before
                self._settle(settled, *self._acks[settled.tag])
        for ended in frame.ended:
            await self._place_anew(ended.key, ended.redirect.moved, ended.error)

    def _settle(self, outcome: ConsumeSettled, ack: ConsumeAck, settled: asyncio.Future) -> None:
        error = outcome.error
        if outcome.HasField("redirect") or error.HasField("retry_delay") or error.code == "INDOUBT":
            # Again, to where the stream is by then: that it moves is told by its end.
            asyncio.get_running_loop().call_later(pause(0, error.retry_delay), self._send, ack)
            return
        del self._acks[ack.tag]
        self._acking.discard((ack.key, ack.ids[0]))
        if outcome.HasField("error") and not settled.done():
            settled.set_exception(RuntimeError(error.text))
        elif not settled.done():
            settled.set_result(outcome.count)


class Subscriber(_Placed):
    """Subscriptions to sharded channels on all nodes; iterates over each SubscribeEvent that is a `message`,
    or that one `started`: what came before may have been missed."""

    def __init__(self, client: Slotcast, channels: Sequence[bytes]):
        opening = SubscribeRequest(open={"heartbeat": HEARTBEAT})
        super().__init__(client, channels, PubSubServiceStub, "Subscribe", opening)
        self._found = asyncio.Queue(1024)  # when it is full, no more is read

    def _add(self, frame: SubscribeRequest, channel: bytes) -> None:
        frame.changes.add(kind=SUBSCRIPTION_KIND_SHARDED, subscribe=[channel])

    async def _take(self, call: _Call, frame: SubscribeResponse) -> None:
        for event in frame.events:
            if event.HasField("moved"):
                await self._place_anew(event.moved.channel, event.moved.moved)
            elif event.HasField("refused"):
                await self._place_anew(event.refused.name, event.refused.redirect.moved, event.refused.error)
            else:
                self._tries[event.started.name or event.message.channel] = 0
                await self._found.put(event)
