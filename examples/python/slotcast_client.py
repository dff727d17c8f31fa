"""A client for Slotcast over gRPC, on asyncio: appends, and consumes as a member of a group.

    async with Slotcast(["127.0.0.1:6479"]) as client:
        await client.append(b"orders", {b"item": b"book"})
        async with client.consume([b"orders"], group=b"billing", consumer=b"w1") as consumer:
            async for entry in consumer:
                consumer.ack(entry)

Needs grpcio and protobuf, and the stubs that `make` puts into gen/.
"""

import asyncio
import binascii
import contextlib
import itertools
import pathlib
import random
import sys
import time
import uuid
from typing import AsyncIterator, Mapping, NamedTuple, Sequence

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parent / "gen"))

from google.protobuf.duration_pb2 import Duration  # noqa: E402
from google.rpc.status_pb2 import Status  # noqa: E402
from slotcast.v1 import consume_pb2 as pb  # noqa: E402
from slotcast.v1.group_service_pb2_grpc import GroupServiceStub  # noqa: E402
from slotcast.v1.producer_pb2 import Producer  # noqa: E402
from slotcast.v1.stream_pb2 import Field  # noqa: E402
from slotcast.v1.stream_service_pb2 import StreamServiceAppendRequest  # noqa: E402
from slotcast.v1.stream_service_pb2_grpc import StreamServiceStub  # noqa: E402
from slotcast.v1.topology_pb2 import SlotMoved  # noqa: E402

TRY_S = 2.0  # one attempt of a call; a node that is paused answers nothing
BACKOFF_S = (0.05, 1.0)  # the first pause and the longest; each is drawn from 0 to that
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # gRPC would let two minutes pass before it dials a node again that was away for long.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
}


def slot_of(key: bytes) -> int:
    """The key's slot: CRC16 of what stands in the first braces, else of the whole key."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    tag = key[start + 1 : end] if 0 <= start < end - 1 else key
    return binascii.crc_hqx(tag, 0) % 16384


def moved_by(error: grpc.aio.AioRpcError) -> SlotMoved | None:
    """The redirect in the details of a failed call."""
    moved = SlotMoved()
    packed = trailer(error, "grpc-status-details-bin")
    found = packed and any(detail.Unpack(moved) for detail in Status.FromString(packed).details)
    return moved if found else None


def trailer(error: grpc.aio.AioRpcError, wanted: str) -> str | bytes | None:
    return next((value for name, value in error.trailing_metadata() or () if name == wanted), None)


def is_transient(error: grpc.aio.AioRpcError) -> bool:
    """Whether the same call may succeed later; a call of unknown fate is safe by its mark."""
    text = trailer(error, "slotcast-code") or ""
    return error.code() in TRANSIENT or text.startswith("INDOUBT")


def pause(attempt: int) -> float:
    first, longest = BACKOFF_S
    return random.uniform(0, min(longest, first * 2 ** min(attempt, 10)))


class Slotcast:
    """A cluster: who leads which slot, a channel to each node, and a producer's numbers."""

    def __init__(self, addresses: Sequence[str], *, producer: str = "", patience: float = 30.0):
        self._addresses = list(addresses)
        self._next = itertools.count()
        self._leaders: dict[int, str] = {}
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
        mark = Producer(producer_id=self._producer, epoch=1, sequence=next(self._sequence))
        pairs = [Field(name=name, value=value) for name, value in fields.items()]
        request = StreamServiceAppendRequest(key=key, fields=pairs, producer=mark)
        return (await self._ask(key, StreamServiceStub, "Append", request)).id

    def consume(self, keys: Sequence[bytes], **options) -> "Consumer":
        """Consumes streams, of any slots, as `consumer` of `group`. Options: see Consumer."""
        return Consumer(self, keys, **options)

    async def _ask(self, key: bytes, stub, method: str, request):
        """One call to whoever leads the key's slot; follows redirects, waits out elections."""
        end = time.monotonic() + self._patience
        for attempt in itertools.count():
            address = self.leader_of(key)
            try:
                call = getattr(stub(self.channel(address)), method)
                return await call(request, timeout=TRY_S)
            except grpc.aio.AioRpcError as error:
                moved = moved_by(error)
                if time.monotonic() > end or not (moved or is_transient(error)):
                    raise
                if moved:
                    self.learn(moved)
                else:
                    self.forget(address)
                if attempt > 0 or not moved:
                    await asyncio.sleep(pause(attempt))

    def channel(self, address: str) -> grpc.aio.Channel:
        if address not in self._channels:
            self._channels[address] = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        return self._channels[address]

    def leader_of(self, key: bytes) -> str:
        """The node that leads the key's slot, or one of the known that will say who does."""
        known = self._leaders.get(slot_of(key))
        return known or self._addresses[next(self._next) % len(self._addresses)]

    def learn(self, moved: SlotMoved) -> str:
        """Takes note of a redirect, unless it is older than what is known. Returns where it leads."""
        address = f"{moved.leader.host}:{moved.leader.port}"
        self.redirects += 1
        if moved.config_epoch >= self._epoch:
            self._epoch = moved.config_epoch
            for slot in range(moved.range.first, moved.range.last + 1):
                self._leaders[slot] = address
        if address not in self._addresses:
            self._addresses.append(address)
        return address

    def forget(self, address: str) -> None:
        """The node does not answer, or leads no more: ask another who does."""
        self._leaders = {slot: at for slot, at in self._leaders.items() if at != address}


class Entry(NamedTuple):
    key: bytes
    id: str
    fields: list[tuple[bytes, bytes]]
    redelivered: bool


class _Ack(NamedTuple):
    frame: pb.ConsumeAck
    settled: asyncio.Future


class _Call:
    """A Consume call to one node, and the frame that leaves next."""

    def __init__(self, address: str, opening: pb.ConsumeRequest):
        self.address = address
        self.keys: set[bytes] = set()
        self.frame = opening
        self.has_frame = asyncio.Event()
        self.has_frame.set()
        self.task: asyncio.Task | None = None

    async def write(self, stream) -> None:
        while True:
            await self.has_frame.wait()
            self.has_frame.clear()
            frame, self.frame = self.frame, pb.ConsumeRequest()
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await stream.write(frame)  # a call that ended says so to its reader


class Consumer:
    """One consumer of a group over streams on all nodes: a Consume call to each node that leads some.

    `create_from` makes missing groups; `claim_min_idle` (seconds) takes over what others left; `credit` is how many
    entries a node may send ahead, `heartbeat` (seconds) how soon its death is noticed: after two.
    """

    def __init__(self, client: Slotcast, keys: Sequence[bytes], *, group: bytes, consumer: bytes,
                 create_from: str | None = None, claim_min_idle: float | None = None,
                 credit: int = 512, heartbeat: float = 1.0):  # fmt: skip
        self._client, self._credit, self._heartbeat = client, credit, heartbeat
        self._open = pb.ConsumeOpen(group=group, consumer=consumer, create_from=create_from)
        self._open.heartbeat.FromMilliseconds(round(heartbeat * 1000))
        if claim_min_idle is not None:
            self._open.claim_min_idle.FromMilliseconds(round(claim_min_idle * 1000))
        self._tokens = dict.fromkeys(keys, b"")
        self._calls: dict[str, _Call] = {}
        self._homes: dict[bytes, _Call] = {}
        self._tags = itertools.count(1)
        self._acks: dict[int, _Ack] = {}
        self._acking: set[tuple[bytes, str]] = set()
        self._failures = 0
        self._is_closed = False
        self._entries: asyncio.Queue[tuple[_Call, Entry] | Exception] = asyncio.Queue()

    async def __aenter__(self) -> "Consumer":
        for key in self._tokens:
            self._place(key, self._client.leader_of(key))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Waits for what is acknowledged to be settled, then hangs up."""
        if self._acks:
            await asyncio.wait([ack.settled for ack in self._acks.values()], timeout=10)
        self._is_closed = True
        tasks = [call.task for call in self._calls.values() if call.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aiter__(self) -> AsyncIterator[Entry]:
        while True:
            found = await self._entries.get()
            if isinstance(found, Exception):
                raise found
            call, entry = found
            call.frame.credit.entries += 1
            call.has_frame.set()
            yield entry

    def ack(self, entry: Entry) -> asyncio.Future:
        """The entry is done with; sent again until that is settled. The future has 1, or 0 if it was before."""
        frame = pb.ConsumeAck(tag=next(self._tags), key=entry.key, ids=[entry.id])
        ack = self._acks[frame.tag] = _Ack(frame, asyncio.get_running_loop().create_future())
        self._acking.add((entry.key, entry.id))
        self._send(ack)
        return ack.settled

    def _send(self, ack: _Ack) -> None:
        """Sends an ack to where its stream is consumed; while that is nowhere, placing it will."""
        home = self._homes.get(ack.frame.key)
        if home is not None and not ack.settled.done():
            home.frame.acks.append(ack.frame)
            home.has_frame.set()

    def _place(self, key: bytes, address: str) -> None:
        """Consumes a stream at a node, from its token on, and sends acks again that are open."""
        if self._is_closed:
            return
        call = self._calls.get(address)
        if call is None:
            credit = pb.ConsumeCredit(entries=self._credit)
            call = _Call(address, pb.ConsumeRequest(open=self._open, credit=credit))
            self._calls[address] = call
            call.task = asyncio.create_task(self._run(call))
        self._homes[key] = call
        call.keys.add(key)
        if key in call.frame.remove:
            call.frame.remove.remove(key)  # it came back before the node was told that it goes
        else:
            call.frame.add.add(key=key, resume_token=self._tokens[key])
        for ack in self._acks.values():
            if ack.frame.key == key:
                self._send(ack)
        call.has_frame.set()

    def _leave(self, key: bytes, call: _Call) -> None:
        call.keys.discard(key)
        if self._homes.get(key) is call:
            del self._homes[key]

    def _place_later(self, key: bytes, seconds: float) -> None:
        place = lambda: self._place(key, self._client.leader_of(key))  # noqa: E731
        asyncio.get_running_loop().call_later(seconds, place)

    async def _run(self, call: _Call) -> None:
        """One call from its first frame to its end, after which its streams are placed anew."""
        stream = GroupServiceStub(self._client.channel(call.address)).Consume()
        writer = asyncio.create_task(call.write(stream))
        try:
            while True:
                frame = await asyncio.wait_for(stream.read(), 2 * self._heartbeat)
                if frame is grpc.aio.EOF:
                    break
                self._failures = 0
                self._take(call, frame)
        except grpc.aio.AioRpcError as error:
            if not is_transient(error):
                self._entries.put_nowait(error)
        except asyncio.TimeoutError:
            pass  # two heartbeats of silence: the node is gone
        finally:
            writer.cancel()
            stream.cancel()
            del self._calls[call.address]
        self._client.forget(call.address)
        self._failures += 1
        for key in list(call.keys):
            self._leave(key, call)
            self._place_later(key, pause(self._failures))

    def _take(self, call: _Call, frame: pb.ConsumeResponse) -> None:
        for found in frame.entries:
            if self._homes.get(found.key) is call:
                self._tokens[found.key] = found.resume_token
            for each in found.entries:
                fields = [(field.name, field.value) for field in each.entry.fields]
                entry = Entry(found.key, each.entry.id, fields, each.redelivered)
                if (entry.key, entry.id) in self._acking:
                    call.frame.credit.entries += 1  # done with; its ack is under way
                else:
                    self._entries.put_nowait((call, entry))
        for settled in frame.settled:
            self._settle(call, settled)
        for ended in frame.ended:
            if self._homes.get(ended.key) is not call:
                continue  # it was placed elsewhere, since an ack was redirected
            self._leave(ended.key, call)
            if ended.HasField("redirect"):
                self._place(ended.key, self._client.learn(ended.redirect.moved))
            elif ended.error.HasField("retry_delay"):
                self._client.forget(call.address)
                self._place_later(ended.key, seconds_of(ended.error.retry_delay))
            else:
                self._entries.put_nowait(RuntimeError(ended.error.text))

    def _settle(self, call: _Call, settled: pb.ConsumeSettled) -> None:
        ack = self._acks.get(settled.tag)
        if ack is None:
            return  # settled already, when it was sent for the second time
        key = ack.frame.key
        if settled.HasField("redirect"):
            if self._homes.get(key) is call:
                self._leave(key, call)
                call.frame.remove.append(key)
                call.has_frame.set()
                self._place(key, self._client.learn(settled.redirect.moved))
        elif settled.error.HasField("retry_delay") or settled.error.code == "INDOUBT":
            delay = seconds_of(settled.error.retry_delay) or BACKOFF_S[0]
            asyncio.get_running_loop().call_later(delay, self._send, ack)
        else:
            del self._acks[settled.tag]
            self._acking.discard((key, ack.frame.ids[0]))
            if ack.settled.cancelled():
                return
            if settled.HasField("error"):
                ack.settled.set_exception(RuntimeError(settled.error.text))
            else:
                ack.settled.set_result(settled.count)


def seconds_of(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
