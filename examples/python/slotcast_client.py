"""A client for Slotcast over gRPC, on asyncio: appends, consumes as one of a group, publishes and subscribes.

Needs grpcio and protobuf, and on the path the stubs that `make` puts into gen/. How it is used: main.py.
"""

import asyncio
import binascii
import itertools
import random
import time
import uuid
from typing import AsyncIterator, Callable, Mapping, NamedTuple, Sequence

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from slotcast.v1.consume_pb2 import ConsumeAck, ConsumeOpen, ConsumeRequest, ConsumeResponse, ConsumeSettled
from slotcast.v1.group_service_pb2_grpc import GroupServiceStub
from slotcast.v1.pubsub_pb2 import SUBSCRIPTION_KIND_SHARDED, SubscribeRequest, SubscribeResponse
from slotcast.v1.pubsub_service_pb2 import PublishRequest
from slotcast.v1.pubsub_service_pb2_grpc import PubSubServiceStub
from slotcast.v1.stream_service_pb2 import StreamServiceAppendRequest
from slotcast.v1.stream_service_pb2_grpc import StreamServiceStub
from slotcast.v1.topology_pb2 import SlotMoved

TRY_S = 2.0  # one attempt of a call; a node that is paused answers nothing
HEARTBEAT_S = 1  # a node is heard so often; one that is silent for two of them is given up
BACKOFF_S = (0.05, 1.0)  # the first pause and the longest; each is drawn from 0 to that
MESSAGES_WAITING_MAX = 1024  # no more are read before the subscriber takes some
# gRPC would let two minutes pass before it dials a node again that was away for long.
DIAL_MS = {"initial": 100, "min": 1000, "max": 1000}
CHANNEL_OPTIONS = [(f"grpc.{which}_reconnect_backoff_ms", ms) for which, ms in DIAL_MS.items()]
CHANNEL_OPTIONS.append(("grpc.max_receive_message_length", 64 * 1024 * 1024))
SLOTS = 16384
CODE = grpc.StatusCode
# How a call ends of which nobody knows whether it was done: without an answer, or with INDOUBT.
IN_DOUBT = {CODE.UNAVAILABLE, CODE.DEADLINE_EXCEEDED, CODE.CANCELLED, CODE.UNKNOWN}


def slot_of(name: bytes) -> int:
    """The slot of a key or channel: CRC16 of what stands in the first braces, else of the whole name."""
    start = name.find(b"{")
    end = name.find(b"}", start + 1)
    tag = name[start + 1 : end] if 0 <= start < end - 1 else name
    return binascii.crc_hqx(tag, 0) % SLOTS


def unpack(error: grpc.aio.AioRpcError, message) -> bool:
    """Fills a message from the details of a failed call, if one of them is of its type."""
    packed = dict(tuple(error.trailing_metadata() or ())).get("grpc-status-details-bin", b"")
    return any(detail.Unpack(message) for detail in Status.FromString(packed).details)


def pause(attempt: int, at_least: Duration) -> float:
    first, longest = BACKOFF_S
    return at_least.ToMilliseconds() / 1000 + random.uniform(0, min(longest, first * 2 ** min(attempt, 10)))


class Slotcast:
    """A cluster: who leads which slot, a channel to each node, and a producer's numbers."""

    def __init__(self, addresses: Sequence[str], *, producer: str = "", patience: float = 30.0):
        self._addresses = list(addresses)  # the first is asked where nobody is known to lead
        self._leaders: list[str | None] = [None] * SLOTS
        self._epoch = 0
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._producer = producer or str(uuid.uuid4())
        self._sequence = itertools.count(1)
        self._patience = patience
        self.redirects = 0

    async def __aenter__(self) -> "Slotcast":
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def append(self, key: bytes, fields: Mapping[bytes, bytes]) -> str:
        """Appends an entry, once however often it must be sent. Returns its ID."""
        mark = {"producer_id": self._producer, "epoch": 1, "sequence": next(self._sequence)}
        pairs = [{"name": name, "value": value} for name, value in fields.items()]
        request = StreamServiceAppendRequest(key=key, fields=pairs, producer=mark)
        return (await self._ask(key, lambda channel: StreamServiceStub(channel).Append, request)).id

    async def publish(self, channel: bytes, payload: bytes) -> int:
        """Publishes on a sharded channel. Returns how many received it; fails IN_DOUBT rather than do it twice."""
        request = PublishRequest(publication={"channel": channel, "payload": payload, "sharded": True})
        method = lambda channel: PubSubServiceStub(channel).Publish  # noqa: E731
        return (await self._ask(channel, method, request, is_repeatable=False)).receivers

    async def _ask(self, name: bytes, method: Callable, request, *, is_repeatable: bool = True):
        """One call to whoever leads the name's slot; follows redirects, waits out elections."""
        end = time.monotonic() + self._patience
        for attempt in itertools.count():
            address = self.leader_of(name)
            try:
                return await method(self.channel(address))(request, timeout=TRY_S)
            except grpc.aio.AioRpcError as error:
                moved, retry = SlotMoved(), RetryInfo()
                is_refused = unpack(error, moved) or (unpack(error, retry) and error.code() != CODE.UNKNOWN)
                if is_refused or error.code() in IN_DOUBT:
                    self.learn(moved, address)
                if time.monotonic() > end or not (is_refused or (error.code() in IN_DOUBT and is_repeatable)):
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
        """Takes note of a redirect, unless it is older than what is known. If it leads nowhere, another is asked."""
        if not moved.HasField("leader"):
            if teller in self._leaders:
                self._leaders = [None if leader == teller else leader for leader in self._leaders]
            if teller == self._addresses[0]:
                self._addresses.append(self._addresses.pop(0))
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
    """A call to one node, and the frame that leaves next."""

    def __init__(self, address: str, opening):
        self.address, self.frame = address, opening
        self.has_frame = asyncio.Event()
        self.task: asyncio.Task | None = None

    async def frames(self) -> AsyncIterator:
        while await self.has_frame.wait():
            self.has_frame.clear()
            frame, self.frame = self.frame, type(self.frame)()
            yield frame


class _Placed:
    """Names, of streams or channels, at the nodes that lead them: one call to each of these."""

    def __init__(self, client: Slotcast, names: Sequence[bytes], method: Callable, found: asyncio.Queue):
        self._client, self._method, self._found = client, method, found
        self._tries = dict.fromkeys(names, 0)
        self._calls: dict[str, _Call] = {}
        self._homes: dict[bytes, _Call] = {}
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
        address = self._client.leader_of(name)
        if self._is_closed:
            return
        if address not in self._calls:
            self._calls[address] = _Call(address, self._opening())
            self._calls[address].task = asyncio.create_task(self._run(self._calls[address]))
        call = self._homes[name] = self._calls[address]
        self._add(call.frame, name)
        call.has_frame.set()

    def _place_anew(self, name: bytes, moved: SlotMoved = SlotMoved(), delay: Duration = Duration()) -> None:
        """A name is no longer where it was: soon it goes where it was moved, or to whoever leads it."""
        self._client.learn(moved, self._homes.pop(name).address)
        self._tries[name] += 1
        asyncio.get_running_loop().call_later(pause(self._tries[name], delay), self._place, name)

    async def _run(self, call: _Call) -> None:
        """One call from its first frame to its end, after which its names are placed anew."""
        stream = self._method(self._client.channel(call.address))(call.frames())
        try:
            while (frame := await asyncio.wait_for(stream.read(), 2 * HEARTBEAT_S)) is not grpc.aio.EOF:
                await self._take(call, frame)
        except grpc.aio.AioRpcError as error:
            if error.code() not in IN_DOUBT:
                await self._found.put(error)
        except asyncio.TimeoutError:
            pass  # two heartbeats of silence: the node is gone
        finally:
            stream.cancel()
            del self._calls[call.address]
        for name in [name for name, home in self._homes.items() if home is call]:
            self._place_anew(name)


class Entry(NamedTuple):
    key: bytes
    id: str
    fields: list[tuple[bytes, bytes]]
    redelivered: bool


class Consumer(_Placed):
    """One consumer of a group over streams on all nodes; iterates over entries.

    `credit` is how many entries a node may send ahead. The options are those of ConsumeOpen: `group`, `consumer`;
    `create_from` makes missing groups, `claim_min_idle` takes over what others left.
    """

    def __init__(self, client: Slotcast, keys: Sequence[bytes], *, credit: int = 512, **options):
        super().__init__(client, keys, lambda channel: GroupServiceStub(channel).Consume, asyncio.Queue())
        self._credit = credit
        self._open = ConsumeOpen(heartbeat={"seconds": HEARTBEAT_S}, **options)
        self._tokens = dict.fromkeys(keys, b"")
        self._tags = itertools.count(1)
        self._acks: dict[int, tuple[ConsumeAck, asyncio.Future]] = {}
        self._acking: set[tuple[bytes, str]] = set()

    async def __aexit__(self, *_: object) -> None:
        """Waits for what is acknowledged to be settled, then hangs up."""
        if self._acks:
            await asyncio.wait([settled for _, settled in self._acks.values()], timeout=10)
        await super().__aexit__()

    async def __aiter__(self) -> AsyncIterator[Entry]:
        async for call, entry in super().__aiter__():
            self._give_credit(call)
            yield entry

    def ack(self, entry: Entry) -> asyncio.Future:
        """The entry is done with; sent again until that is settled. The future has 1, or 0 if it was before."""
        ack = ConsumeAck(tag=next(self._tags), key=entry.key, ids=[entry.id])
        self._acks[ack.tag] = ack, asyncio.get_running_loop().create_future()
        self._acking.add((entry.key, entry.id))
        self._send(ack)
        return self._acks[ack.tag][1]

    def _send(self, ack: ConsumeAck) -> None:
        """Sends an ack to where its stream is consumed; while that is nowhere, placing it will."""
        call = self._homes.get(ack.key)
        if call is not None and ack.tag in self._acks:
            call.frame.acks.append(ack)
            call.has_frame.set()

    def _give_credit(self, call: _Call) -> None:
        call.frame.credit.entries += 1
        call.has_frame.set()

    def _opening(self) -> ConsumeRequest:
        return ConsumeRequest(open=self._open, credit={"entries": self._credit})

    def _add(self, frame: ConsumeRequest, key: bytes) -> None:
        frame.add.add(key=key, resume_token=self._tokens[key])
        frame.acks.extend(ack for ack, _ in self._acks.values() if ack.key == key)

    async def _take(self, call: _Call, frame: ConsumeResponse) -> None:
        for batch in frame.entries:
            self._tries[batch.key], self._tokens[batch.key] = 0, batch.resume_token
            for each in batch.entries:
                if (batch.key, each.entry.id) in self._acking:
                    self._give_credit(call)  # done with; its ack is under way
                else:
                    fields = [(field.name, field.value) for field in each.entry.fields]
                    self._found.put_nowait((call, Entry(batch.key, each.entry.id, fields, each.redelivered)))
        for settled in frame.settled:
            if settled.tag in self._acks:  # else it was sent twice, and settled before
                self._settle(*self._acks[settled.tag], settled)
        for ended in frame.ended:
            self._place_anew(ended.key, ended.redirect.moved, ended.error.retry_delay)
            if ended.HasField("error") and not ended.error.HasField("retry_delay"):
                self._found.put_nowait(RuntimeError(ended.error.text))

    def _settle(self, ack: ConsumeAck, settled: asyncio.Future, outcome: ConsumeSettled) -> None:
        error = outcome.error
        if outcome.HasField("redirect") or error.HasField("retry_delay") or error.code == "INDOUBT":
            # Again, to where the stream is then: that it moved is told as the stream's end, too.
            asyncio.get_running_loop().call_later(pause(0, error.retry_delay), self._send, ack)
            return
        del self._acks[ack.tag]
        self._acking.discard((ack.key, ack.ids[0]))
        if settled.cancelled():
            return
        if outcome.HasField("error"):
            settled.set_exception(RuntimeError(error.text))
        else:
            settled.set_result(outcome.count)


class Message(NamedTuple):
    channel: bytes
    payload: bytes | None  # None: a subscription stands, and what came before it may have been missed


class Subscriber(_Placed):
    """Subscriptions to sharded channels on all nodes; iterates over messages."""

    def __init__(self, client: Slotcast, channels: Sequence[bytes]):
        found = asyncio.Queue(MESSAGES_WAITING_MAX)
        super().__init__(client, channels, lambda channel: PubSubServiceStub(channel).Subscribe, found)

    def _opening(self) -> SubscribeRequest:
        return SubscribeRequest(open={"heartbeat": {"seconds": HEARTBEAT_S}})

    def _add(self, frame: SubscribeRequest, channel: bytes) -> None:
        frame.changes.add(kind=SUBSCRIPTION_KIND_SHARDED, subscribe=[channel])

    async def _take(self, call: _Call, frame: SubscribeResponse) -> None:
        for event in frame.events:
            match event.WhichOneof("event"):
                case "message":
                    await self._found.put(Message(event.message.channel, event.message.payload))
                case "started":
                    self._tries[event.started.name] = 0
                    await self._found.put(Message(event.started.name, None))
                case "moved":
                    self._place_anew(event.moved.channel, event.moved.moved)
                case "refused":
                    refused = event.refused
                    self._place_anew(refused.name, refused.redirect.moved, refused.error.retry_delay)
