"""A whole session with a running cluster over gRPC, as a stranger would write it.

    /usr/bin/python3 session.py HOST:PORT [HOST:PORT ...]

Needs grpcio and protobuf, and makes its messages from proto/ with grpc_tools where
that is installed, with protoc where not. Calls are made without generated stubs,
since Debian's grpcio comes without grpc_tools; names and types are those of proto/.

Redirects are followed both ways: from the typed status details, and from the
trailer alone. The last line of the output is a JSON object with what was done.
"""

import importlib.util
import json
import pathlib
import queue
import subprocess
import sys
import tempfile
import time
import uuid

import grpc

PROTO = pathlib.Path(__file__).resolve().parents[3] / "proto"
FILES = sorted(
    str(path.relative_to(PROTO))
    for folder in ("slotcast/v1", "google/rpc")
    for path in (PROTO / folder).glob("*.proto")
)
CALLS_A_FRAME = 64
PATIENCE_S = 10.0


def make_messages():
    out = tempfile.mkdtemp(prefix="slotcast-py-")
    arguments = [f"-I{PROTO}", f"--python_out={out}", *FILES]
    if importlib.util.find_spec("grpc_tools"):
        command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    else:
        command = ["protoc", *arguments]
    subprocess.run(command, check=True)
    sys.path.insert(0, out)


make_messages()
# The google package is there already; ours adds google.rpc where nothing else does.
import google  # noqa: E402

google.__path__.append(sys.path[0] + "/google")

from google.protobuf import duration_pb2  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from slotcast.v1 import (  # noqa: E402
    cluster_service_pb2 as cluster_pb,
    command_service_pb2 as command_pb,
    group_service_pb2 as group_pb,
    key_service_pb2 as key_pb,
    list_service_pb2 as list_pb,
    producer_pb2,
    stream_pb2,
    stream_service_pb2 as stream_pb,
    topology_pb2,
)


def method(service_file, service, name):
    descriptor = service_file.DESCRIPTOR.services_by_name[service].methods_by_name[name]
    from google.protobuf import message_factory

    if hasattr(message_factory, "GetMessageClass"):
        make = message_factory.GetMessageClass
    else:
        make = message_factory.MessageFactory().GetPrototype
    return f"/slotcast.v1.{service}/{name}", make(descriptor.output_type)


def detail(error, kind):
    """The detail of type `kind` in the error's status, or None."""
    for name, value in error.trailing_metadata() or ():
        if name != "grpc-status-details-bin":
            continue
        status = status_pb2.Status.FromString(value)
        assert status.code == error.code().value[0], "the status and its details agree"
        for packed in status.details:
            found = kind()
            if packed.Unpack(found):
                return found
    return None


def trailer(error, wanted):
    for name, value in error.trailing_metadata() or ():
        if name == wanted:
            return value
    return None


class Cluster:
    def __init__(self, addresses, by_trailer):
        self.addresses = addresses
        self.by_trailer = by_trailer
        self.channels = {}
        self.redirects = 0

    def channel(self, address):
        if address not in self.channels:
            self.channels[address] = grpc.insecure_channel(address)
        return self.channels[address]

    def once(self, address, file, service, name, request, timeout=PATIENCE_S):
        path, response = method(file, service, name)
        call = self.channel(address).unary_unary(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return call(request, timeout=timeout)

    def target(self, error):
        """Where a redirect leads: by the details, or by the trailer alone."""
        text = trailer(error, "slotcast-redirect")
        assert error.details() == text, (error.details(), text)
        assert text.startswith("MOVED "), text
        if self.by_trailer:
            return text.split(" ")[2]
        info = detail(error, error_details_pb2.ErrorInfo)
        assert (info.reason, info.domain) == ("MOVED", "slotcast"), info
        moved = detail(error, topology_pb2.SlotMoved)
        assert moved.range.first <= moved.slot <= moved.range.last, moved
        assert text == f"MOVED {moved.slot} {moved.leader.host}:{moved.leader.port}"
        return f"{moved.leader.host}:{moved.leader.port}"

    def ask(self, file, service, name, request, start=None):
        """One call, that follows redirects and waits out an election."""
        address = start or self.addresses[0]
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.once(address, file, service, name, request)
            except grpc.RpcError as error:
                if time.monotonic() > end:
                    raise
                if trailer(error, "slotcast-redirect") is not None:
                    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
                    self.redirects += 1
                    address = self.target(error)
                elif detail(error, error_details_pb2.RetryInfo) is not None:
                    wait = detail(error, error_details_pb2.RetryInfo).retry_delay
                    time.sleep(wait.seconds + wait.nanos / 1e9)
                else:
                    raise


def hand_over(cluster, key, start):
    """Work that goes from a list to a list of what is done, and a wait for it that ends."""

    def lists(name, **fields):
        request = getattr(list_pb, f"ListService{name}Request")(**fields)
        return cluster.ask(list_pb, "ListService", name, request, start)

    work, done = key + b":work", key + b":done"
    left, right = list_pb.LIST_END_LEFT, list_pb.LIST_END_RIGHT
    assert lists("Push", key=work, end=right, elements=[b"1", b"", b"3"]).length == 3
    ends = {"from": left, "to": right, "source": work, "destination": done}
    for wanted in (b"1", b""):
        moved = lists("Move", **ends)
        assert moved.HasField("element") and moved.element == wanted
    popped = lists("Pop", key=work, end=left, count=5, block=duration_pb2.Duration(seconds=5))
    assert list(popped.elements) == [b"3"]
    short = duration_pb2.Duration(nanos=30_000_000)
    assert not lists("Move", **ends, block=short).HasField("element")
    any_of = lists("PopAny", keys=[work, done], end=right, count=2)
    assert (any_of.key, list(any_of.elements)) == (done, [b"", b"1"])


def expect(code, word, run):
    try:
        run()
    except grpc.RpcError as error:
        assert error.code() == code, error
        assert (trailer(error, "slotcast-code") or "").startswith(word), error
        return
    raise AssertionError(f"expected {code}")


def stream_fields(number):
    return [stream_pb2.Field(name=b"n", value=str(number).encode())]


def whole_session(addresses, by_trailer):
    """Streams, groups and lists of one slot from every node: all nodes but one redirect."""
    cluster = Cluster(addresses, by_trailer)
    tag = uuid.uuid4()
    for nth, start in enumerate(addresses):
        key = f"py:{{{tag}}}:{nth}".encode()

        def streams(name, request):
            return cluster.ask(stream_pb, "StreamService", name, request, start)

        def groups(name, request):
            return cluster.ask(group_pb, "GroupService", name, request, start)

        at = {"key": key, "group": b"workers"}
        expect(
            grpc.StatusCode.NOT_FOUND,
            "NOGROUP",
            lambda: groups("Pending", group_pb.GroupServicePendingRequest(**at)),
        )
        create = group_pb.GroupServiceCreateRequest(**at, start_id="0", create_stream=True)
        groups("Create", create)
        expect(grpc.StatusCode.ALREADY_EXISTS, "BUSYGROUP", lambda: groups("Create", create))
        ids = []
        for number in range(5):
            request = stream_pb.StreamServiceAppendRequest(key=key, fields=stream_fields(number))
            request.producer.CopyFrom(
                producer_pb2.Producer(producer_id=key.decode(), epoch=1, sequence=number + 1)
            )
            first = streams("Append", request).id
            assert streams("Append", request).id == first, "a repeated write is done once"
            ids.append(first)
        assert ids == sorted(ids, key=lambda text: tuple(map(int, text.split("-"))))
        found = streams("Range", stream_pb.StreamServiceRangeRequest(key=key)).entries
        assert [entry.id for entry in found] == ids
        assert [entry.fields[0].value for entry in found] == [b"0", b"1", b"2", b"3", b"4"]
        read = group_pb.GroupServiceReadRequest(
            group=b"workers",
            consumer=b"w1",
            count=3,
            streams=[stream_pb2.StreamPosition(key=key)],
        )
        (delivered,) = groups("Read", read).streams
        assert delivered.key == key
        assert [entry.id for entry in delivered.entries] == ids[:3]
        pending = groups("Pending", group_pb.GroupServicePendingRequest(**at))
        assert (pending.total, pending.lowest_id, pending.highest_id) == (3, ids[0], ids[2])
        assert [(row.consumer, row.pending) for row in pending.consumers] == [(b"w1", 3)]
        ack = group_pb.GroupServiceAckRequest(**at, ids=ids[:2])
        assert groups("Ack", ack).acknowledged == 2
        assert groups("Ack", ack).acknowledged == 0
        rows = groups("PendingEntries", group_pb.GroupServicePendingEntriesRequest(**at)).entries
        assert [(row.id, row.delivery_count) for row in rows] == [(ids[2], 1)]
        claim = group_pb.GroupServiceAutoClaimRequest(**at, consumer=b"w2")
        claimed = groups("AutoClaim", claim)
        assert [entry.id for entry in claimed.entries] == [ids[2]]
        assert claimed.next_start == "0-0"
        (group,) = groups("ListGroups", group_pb.ListGroupsRequest(key=key)).groups
        assert (group.name, group.consumers, group.pending, group.lag) == (b"workers", 2, 1, 2)
        info = streams("Info", stream_pb.StreamServiceInfoRequest(key=key, full=True))
        assert (info.length, info.group_details[0].pending[0].consumer) == (5, b"w2")
        blocked = stream_pb.StreamServiceReadRequest(
            streams=[stream_pb2.StreamPosition(key=key)],
            block=duration_pb2.Duration(nanos=50_000_000),
        )
        assert list(streams("Read", blocked).streams) == []
        delete = key_pb.KeyServiceDeleteRequest(keys=[key])
        assert cluster.ask(key_pb, "KeyService", "Delete", delete, start).deleted == 1
        hand_over(cluster, key, start)
    empty = stream_pb.StreamServiceLengthRequest()
    expect(
        grpc.StatusCode.INVALID_ARGUMENT,
        "ERR",
        lambda: cluster.ask(stream_pb, "StreamService", "Length", empty),
    )
    return cluster.redirects


class Frames:
    """One CommandService.Session, fed from a queue."""

    def __init__(self, channel):
        self.out = queue.Queue()
        path, response = method(command_pb, "CommandService", "Session")
        call = channel.stream_stream(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        self.answers = call(iter(self.out.get, None))

    def run(self, calls):
        """Sends one frame and gathers the results of its calls, by tag."""
        self.out.put(command_pb.SessionRequest(calls=calls))
        owed = {call.tag for call in calls}
        results = {}
        while owed:
            for result in next(self.answers).results:
                owed.remove(result.tag)
                results[result.tag] = result
        return results

    def end(self):
        self.out.put(None)
        assert list(self.answers) == []


def sessions(addresses):
    """Frames of 64 appends to keys of all nodes, all sent to one node first."""
    cluster = Cluster(addresses, False)
    open_frames = {}
    run_id = str(uuid.uuid4())
    written = {}
    redirects = 0
    tag = 0
    for _ in range(8):
        todo = []
        for n in range(CALLS_A_FRAME):
            tag += 1
            key = f"py:{run_id}:{n % 16}".encode()
            todo.append(command_pb.Call(tag=tag, argv=[b"XADD", key, b"*", b"n", b"1"]))
        waiting = {addresses[0]: todo}
        end = time.monotonic() + PATIENCE_S
        while waiting:
            assert time.monotonic() < end, "calls are redirected for ever"
            address, calls = waiting.popitem()
            if address not in open_frames:
                open_frames[address] = Frames(cluster.channel(address))
            by_tag = {call.tag: call for call in calls}
            for done, result in open_frames[address].run(calls).items():
                outcome = result.WhichOneof("outcome")
                call = by_tag[done]
                if outcome == "redirect":
                    redirects += 1
                    leader = result.redirect.moved.leader
                    target = f"{leader.host}:{leader.port}"
                    assert result.redirect.text.endswith(target), result
                    waiting.setdefault(target, []).append(call)
                elif outcome == "error":
                    assert result.error.HasField("retry_delay"), result
                    time.sleep(0.05)
                    waiting.setdefault(address, []).append(call)
                else:
                    assert b"-" in result.reply.bulk, result
                    written[call.argv[1]] = written.get(call.argv[1], 0) + 1
    for frames in open_frames.values():
        frames.end()
    for key, count in written.items():
        request = stream_pb.StreamServiceLengthRequest(key=key)
        length = cluster.ask(stream_pb, "StreamService", "Length", request).length
        assert length == count, (key, length, count)
        delete = key_pb.KeyServiceDeleteRequest(keys=[key])
        cluster.ask(key_pb, "KeyService", "Delete", delete)
    return sum(written.values()), redirects


def main():
    addresses = sys.argv[1:]
    if not addresses:
        sys.exit(__doc__)
    cluster = Cluster(addresses, False)
    topology = cluster.ask(
        cluster_pb, "ClusterService", "GetTopology", cluster_pb.GetTopologyRequest()
    ).topology
    slots = sum(r.last - r.first + 1 for shard in topology.shards for r in shard.ranges)
    assert slots == 16384, slots
    by_details = whole_session(addresses, False)
    by_trailer = whole_session(addresses, True)
    appended, in_band = sessions(addresses)
    done = {
        "nodes": len(topology.nodes),
        "redirects_by_details": by_details,
        "redirects_by_trailer": by_trailer,
        "appended_in_sessions": appended,
        "redirects_in_band": in_band,
    }
    print(json.dumps(done))


if __name__ == "__main__":
    main()
