// A client for Slotcast over gRPC, on code that `mvn package` generates from proto/: appends, consumes as one
// of a group, publishes and subscribes. Calls block, any thread may make them. Its use: contract/Main.java.
package slotcast.client;

import static io.grpc.Status.Code.*;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.util.concurrent.TimeUnit.MILLISECONDS;
import com.google.protobuf.*;
import com.google.rpc.RetryInfo;
import io.grpc.*;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.*;
import slotcast.v1.*;
import slotcast.v1.Consume.*;
import slotcast.v1.GroupServiceOuterClass.GroupServiceAckRequest;
import slotcast.v1.ProducerOuterClass.Producer;
import slotcast.v1.Pubsub.*;
import slotcast.v1.PubsubService.*;
import slotcast.v1.ReplyOuterClass.Error;
import slotcast.v1.Stream.Field;
import slotcast.v1.StreamServiceOuterClass.*;
import slotcast.v1.TopologyOuterClass.SlotMoved;

/** A cluster: who leads which slot, a channel to each node, and what its producers count. */
public final class Slotcast implements AutoCloseable {
  /** How a call ends of which nobody knows whether it was done: without an answer, or with INDOUBT. */
  public static final Set<Status.Code> IN_DOUBT = Set.of(UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED, UNKNOWN);
  private static final long PATIENCE_MS = 30_000; // a call is tried so long
  private static final long TRY_MS = 2_000; // one attempt of it; a node that is paused answers nothing
  private static final long BACKOFF_MS = 50, BACKOFF_MS_MAX = 1_000; // pauses are drawn from 0 to these
  private static final Duration HEARTBEAT = Duration.newBuilder().setSeconds(1).build();
  private static final long SILENCE_MS_MAX = 2_000; // two heartbeats; then a node is given up
  private static final SlotMoved NOWHERE = SlotMoved.getDefaultInstance();
  private static final Error NO_ERROR = Error.getDefaultInstance();
  /** How many redirects were followed. */
  public final AtomicLong redirects = new AtomicLong();
  private final List<String> addresses;
  private final String[] leaders = new String[16_384];
  private long epoch;
  private final Map<String, ManagedChannel> channels = new HashMap<>();
  /** One for each thread: of one append under way no shard forgets the reply, however long it takes. */
  private final ThreadLocal<Producer.Builder> producer = ThreadLocal.withInitial(() ->
      Producer.newBuilder().setProducerId(UUID.randomUUID().toString()).setEpoch(1));
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();

  public Slotcast(Collection<String> addresses) { this.addresses = new ArrayList<>(addresses); }
  @Override public synchronized void close() {
    timer.shutdownNow();
    channels.values().forEach(ManagedChannel::shutdownNow);
  }

  /** Appends an entry, once however often it must be sent. @return its ID */
  public String append(ByteString key, Iterable<Field> fields) throws InterruptedException {
    var mark = producer.get().setSequence(producer.get().getSequence() + 1).build();
    var request = StreamServiceAppendRequest.newBuilder().setKey(key).addAllFields(fields).setProducer(mark);
    return ask(key, StreamServiceGrpc.getAppendMethod(), request.build(), true).getId();
  }

  /** Publishes on a sharded channel; fails IN_DOUBT rather than do it twice. @return how many received it */
  public long publish(ByteString channel, ByteString payload) throws InterruptedException {
    var request = PublishRequest.newBuilder();
    request.getPublicationBuilder().setChannel(channel).setPayload(payload).setSharded(true);
    return ask(channel, PubSubServiceGrpc.getPublishMethod(), request.build(), false).getReceivers();
  }

  /** One call to whoever leads the name's slot; follows redirects, waits out elections. */
  private <Q, A> A ask(ByteString name, MethodDescriptor<Q, A> method, Q request, boolean isRepeatable)
      throws InterruptedException {
    var end = System.nanoTime() + MILLISECONDS.toNanos(PATIENCE_MS);
    for (var attempt = 1; ; attempt++) {
      var address = leaderOf(name);
      try {
        var options = CallOptions.DEFAULT.withDeadlineAfter(TRY_MS, MILLISECONDS);
        return ClientCalls.blockingUnaryCall(channel(address), method, options, request);
      } catch (StatusRuntimeException error) {
        var moved = detail(error, NOWHERE);
        var retry = detail(error, RetryInfo.getDefaultInstance());
        var code = error.getStatus().getCode();
        var isUndone = moved.hasLeader() || (retry.hasRetryDelay() && code != UNKNOWN);
        if (isUndone || IN_DOUBT.contains(code)) learn(moved, address);
        var mayRepeat = isUndone || (isRepeatable && IN_DOUBT.contains(code));
        if (!mayRepeat || System.nanoTime() > end) throw error;
        Thread.sleep(pauseMs(attempt, retry.getRetryDelay()));
      }
    }
  }

  /** The detail of a failed call that is of the type of `none`, else that. */
  private static <M extends Message> M detail(StatusRuntimeException error, M none) {
    try {
      for (var detail : StatusProto.fromThrowable(error).getDetailsList())
        if (detail.isSameTypeAs(none)) return detail.unpackSameTypeAs(none);
    } catch (InvalidProtocolBufferException malformed) {} // as if it were not there
    return none;
  }

  private synchronized Channel channel(String address) {
    var channel = channels.computeIfAbsent(address, target ->
        ManagedChannelBuilder.forTarget(target).usePlaintext().maxInboundMessageSize(64 << 20).build());
    // Else a node that was away for long is dialled each two minutes.
    if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) channel.resetConnectBackoff();
    return channel;
  }

  /** The node that leads the name's slot, or any, which will say who does. */
  private synchronized String leaderOf(ByteString name) {
    var any = addresses.get(ThreadLocalRandom.current().nextInt(addresses.size()));
    return Objects.requireNonNullElse(leaders[slotOf(name)], any);
  }

  /** Takes note of a redirect, unless it is older than what is known. If it leads nowhere, ask others. */
  private synchronized void learn(SlotMoved moved, String teller) {
    if (moved.hasLeader()) redirects.incrementAndGet();
    else Arrays.setAll(leaders, slot -> teller.equals(leaders[slot]) ? null : leaders[slot]);
    if (!moved.hasLeader() || moved.getConfigEpoch() < epoch) return;
    epoch = moved.getConfigEpoch();
    var address = moved.getLeader().getHost() + ":" + moved.getLeader().getPort();
    Arrays.fill(leaders, moved.getRange().getFirst(), moved.getRange().getLast() + 1, address);
    if (!addresses.contains(address)) addresses.add(address);
  }

  /** CRC16 of what stands in the first braces of a key or channel, else of the whole name. */
  private static int slotOf(ByteString name) {
    var tag = name.toString(ISO_8859_1).replaceFirst("(?s)^[^{]*\\{([^}]+)}.*", "$1");
    var crc = 0;
    for (var each : tag.toCharArray())
      for (var bit = 7; bit >= 0; bit--) crc = crc << 1 ^ ((crc >> 15 ^ each >> bit) & 1) * 0x1021;
    return crc & 0x3fff;
  }

  private static long pauseMs(int attempt, Duration atLeast) {
    var longest = Math.min(BACKOFF_MS << Math.min(attempt, 10), BACKOFF_MS_MAX);
    var leastMs = atLeast.getSeconds() * 1_000 + atLeast.getNanos() / 1_000_000;
    return leastMs + ThreadLocalRandom.current().nextLong(longest + 1);
  }

  /** Names, of streams or channels, at the nodes that lead them: one call to each of these. Finds events. */
  private abstract static class Placed<Q, A, E> implements AutoCloseable {
    final Slotcast client;
    private final MethodDescriptor<Q, A> method;
    private final Q opening;
    final BlockingQueue<Supplier<E>> found = new LinkedBlockingQueue<>();
    final Map<ByteString, Call> homes = new ConcurrentHashMap<>();
    final Map<ByteString, Integer> tries = new ConcurrentHashMap<>();
    private final Map<String, Call> calls = new ConcurrentHashMap<>();
    private boolean isClosed;
    Placed(Slotcast client, MethodDescriptor<Q, A> method, Q opening) {
      this.client = client;
      this.method = method;
      this.opening = opening;
    }

    /** The frame that adds a name to a call. */
    abstract Q adding(ByteString name);
    abstract void take(Call call, A frame);

    /** The next event; waits for it. */
    public E next() throws InterruptedException { return found.take().get(); }

    @Override public synchronized void close() {
      isClosed = true;
      List.copyOf(calls.values()).forEach(call -> end(call, Status.CANCELLED));
    }

    synchronized void place(ByteString name) {
      if (isClosed) return;
      var call = calls.computeIfAbsent(client.leaderOf(name), Call::new);
      homes.put(name, call);
      send(call, adding(name));
    }

    /** A name is no longer where it was: soon it goes where it was moved, or to whoever leads it. */
    synchronized void placeAnew(ByteString name, SlotMoved moved, Error error) {
      client.learn(moved, homes.remove(name).address);
      var delay = pauseMs(tries.merge(name, 1, Integer::sum), error.getRetryDelay());
      if (!error.getCode().isEmpty() && !error.hasRetryDelay())
        found.add(() -> { throw new IllegalStateException(error.getText()); });
      else client.timer.schedule(() -> place(name), delay, MILLISECONDS);
    }

    synchronized void send(Call call, Q frame) {
      if (calls.get(call.address) == call) call.node.onNext(frame);
    }

    private synchronized void end(Call call, Status status) {
      if (!calls.remove(call.address, call)) return;
      call.node.cancel("given up", null);
      if (!IN_DOUBT.contains(status.getCode())) found.add(() -> { throw status.asRuntimeException(); });
      homes.forEach((name, home) -> { if (home == call) placeAnew(name, NOWHERE, NO_ERROR); });
    }

    /** A call to one node, which is given up when it is silent for too long. */
    final class Call implements StreamObserver<A> {
      private final String address;
      private final ClientCallStreamObserver<Q> node;
      private Future<?> silence;
      Call(String address) {
        this.address = address;
        var call = client.channel(address).newCall(method, CallOptions.DEFAULT);
        node = (ClientCallStreamObserver<Q>) ClientCalls.asyncBidiStreamingCall(call, this);
        listen();
        node.onNext(opening);
      }

      private void listen() {
        silence = client.timer.schedule(() -> end(this, Status.UNAVAILABLE), SILENCE_MS_MAX, MILLISECONDS);
      }
      @Override public void onNext(A frame) {
        if (calls.get(address) != this) return; // given up
        silence.cancel(false);
        take(this, frame);
        listen();
      }
      @Override public void onError(Throwable error) { end(this, Status.fromThrowable(error)); }
      @Override public void onCompleted() { end(this, Status.UNAVAILABLE); }
    }
  }

  public record Entry(ByteString key, ConsumedEntry consumed) {}

  /** One consumer of a group over streams on all nodes. */
  public static final class Consumer extends Placed<ConsumeRequest, ConsumeResponse, Entry> {
    private static final ConsumeCredit ONE = ConsumeCredit.newBuilder().setEntries(1).build();
    private static final ConsumeRequest ONE_MORE = ConsumeRequest.newBuilder().setCredit(ONE).build();
    private final ByteString group;
    private final Map<ByteString, ByteString> tokens = new ConcurrentHashMap<>();
    private final Set<List<Object>> acking = ConcurrentHashMap.newKeySet();
    /** @param credit how many entries a node may send ahead */
    public Consumer(Slotcast client, Collection<ByteString> keys, ConsumeOpen.Builder open, int credit) {
      super(client, GroupServiceGrpc.getConsumeMethod(), ConsumeRequest.newBuilder()
          .setOpen(open.setHeartbeat(HEARTBEAT)).setCredit(ONE.toBuilder().setEntries(credit)).build());
      group = open.getGroup();
      keys.forEach(this::place);
    }

    /** The entry is done with; sent again until that is settled. @return 1, or 0 if it was before */
    public long ack(Entry entry) throws InterruptedException {
      var id = entry.consumed.getEntry().getId();
      var ack = GroupServiceAckRequest.newBuilder().setGroup(group).setKey(entry.key).addIds(id);
      acking.add(List.of(entry.key, id));
      try {
        return client.ask(entry.key, GroupServiceGrpc.getAckMethod(), ack.build(), true).getAcknowledged();
      } finally {
        acking.remove(List.of(entry.key, id));
      }
    }

    @Override ConsumeRequest adding(ByteString key) {
      var stream = ConsumeStream.newBuilder().setResumeToken(tokens.getOrDefault(key, ByteString.EMPTY));
      return ConsumeRequest.newBuilder().addAdd(stream.setKey(key)).build();
    }

    @Override void take(Call call, ConsumeResponse frame) {
      for (var batch : frame.getEntriesList()) {
        var key = batch.getKey();
        tries.remove(key);
        tokens.put(key, batch.getResumeToken());
        for (var each : batch.getEntriesList())
          if (acking.contains(List.of(key, each.getEntry().getId()))) send(call, ONE_MORE); // done with
          else found.add(() -> { send(call, ONE_MORE); return new Entry(key, each); });
      }
      for (var it : frame.getEndedList()) placeAnew(it.getKey(), it.getRedirect().getMoved(), it.getError());
    }
  }

  /** Subscriptions to sharded channels on all nodes. Finds `message`, and `started` after a possible gap. */
  public static final class Subscriber extends Placed<SubscribeRequest, SubscribeResponse, SubscribeEvent> {
    private final Semaphore room = new Semaphore(1_024); // no more is read before some is taken
    public Subscriber(Slotcast client, Collection<ByteString> channels) {
      super(client, PubSubServiceGrpc.getSubscribeMethod(),
          SubscribeRequest.newBuilder().setOpen(SubscribeOpen.newBuilder().setHeartbeat(HEARTBEAT)).build());
      channels.forEach(this::place);
    }

    @Override SubscribeRequest adding(ByteString channel) {
      var change = SubscriptionChange.newBuilder().setKind(SubscriptionKind.SUBSCRIPTION_KIND_SHARDED);
      return SubscribeRequest.newBuilder().addChanges(change.addSubscribe(channel)).build();
    }

    @Override void take(Call call, SubscribeResponse frame) {
      for (var event : frame.getEventsList()) {
        var moved = event.getMoved();
        var refused = event.getRefused();
        if (event.hasMoved()) placeAnew(moved.getChannel(), moved.getMoved(), NO_ERROR);
        else if (event.hasRefused())
          placeAnew(refused.getName(), refused.getRedirect().getMoved(), refused.getError());
        else {
          tries.remove(event.getStarted().getName());
          room.acquireUninterruptibly();
          found.add(() -> { room.release(); return event; });
        }
      }
    }
  }
}
