// A client for Slotcast over gRPC, on code generated from proto/ by `mvn package`: appends, consumes as one of a group,
// publishes and subscribes. What waits blocks its thread; any threads may call. How it is used: contract/Main.java.
package slotcast.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import com.google.protobuf.*;
import com.google.rpc.RetryInfo;
import io.grpc.*;
import io.grpc.Status.Code;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.ThreadPoolExecutor.DiscardPolicy;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.*;
import java.util.regex.Pattern;
import slotcast.v1.*;
import slotcast.v1.Consume.*;
import slotcast.v1.ProducerOuterClass.Producer;
import slotcast.v1.Pubsub.*;
import slotcast.v1.PubsubService.*;
import slotcast.v1.ReplyOuterClass.Error;
import slotcast.v1.Stream.Field;
import slotcast.v1.StreamServiceOuterClass.StreamServiceAppendRequest;
import slotcast.v1.TopologyOuterClass.SlotMoved;

/** A cluster: who leads which slot, a channel to each node, and a producer's numbers. */
public final class Slotcast implements AutoCloseable {
  /** How a call ends of which nobody knows whether it was done: without an answer, or with INDOUBT. */
  public static final Set<Code> IN_DOUBT =
      EnumSet.of(Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.UNKNOWN);
  private static final long PATIENCE_MS = 30_000; // a call is tried so long
  private static final long TRY_MS = 2_000; // one attempt of it; a node that is paused answers nothing
  private static final long BACKOFF_MS = 50, BACKOFF_MS_MAX = 1_000; // pauses are drawn from 0 to these
  private static final Duration HEARTBEAT = Duration.newBuilder().setSeconds(1).build();
  private static final long SILENCE_MS_MAX = 2_000; // two heartbeats; then a node is given up
  private static final int EVENTS_WAITING_MAX = 1_024; // no more are read before the subscriber takes some
  private static final int SLOTS = 16_384;
  private static final Pattern TAG = Pattern.compile("[^{]*\\{([^}]+)}");

  /** How many redirects were followed. */
  public final AtomicLong redirects = new AtomicLong();
  private final Deque<String> addresses; // the first is asked where nobody is known to lead
  private final String[] leaders = new String[SLOTS];
  private long epoch;
  private final Map<String, ManagedChannel> channels = new HashMap<>();
  private final String producer = UUID.randomUUID().toString();
  private final AtomicLong sequence = new AtomicLong();
  private final ScheduledExecutorService timer = new ScheduledThreadPoolExecutor(1, new DiscardPolicy());

  public Slotcast(Collection<String> addresses) {
    this.addresses = new ArrayDeque<>(addresses);
  }

  @Override public synchronized void close() {
    timer.shutdownNow();
    channels.values().forEach(ManagedChannel::shutdownNow);
  }

  /** Appends an entry, once however often it must be sent. @return its ID */
  public String append(ByteString key, Iterable<Field> fields) throws InterruptedException {
    var mark = Producer.newBuilder().setProducerId(producer).setEpoch(1).setSequence(sequence.incrementAndGet());
    var request = StreamServiceAppendRequest.newBuilder().setKey(key).addAllFields(fields).setProducer(mark).build();
    return ask(key, StreamServiceGrpc::newBlockingStub, stub -> stub.append(request), true).getId();
  }

  /** Publishes on a sharded channel; fails IN_DOUBT rather than do it twice. @return how many received it */
  public long publish(ByteString channel, ByteString payload) throws InterruptedException {
    var message = Publication.newBuilder().setChannel(channel).setPayload(payload).setSharded(true);
    var request = PublishRequest.newBuilder().setPublication(message).build();
    return ask(channel, PubSubServiceGrpc::newBlockingStub, stub -> stub.publish(request), false).getReceivers();
  }

  /** One call to whoever leads the name's slot; follows redirects, waits out elections. */
  private <S extends AbstractStub<S>, A> A ask(
      ByteString name, Function<Channel, S> stub, Function<S, A> call, boolean isMarked) throws InterruptedException {
    var end = System.nanoTime() + MILLISECONDS.toNanos(PATIENCE_MS);
    for (var attempt = 1; ; attempt++) {
      var address = leaderOf(name);
      try {
        return call.apply(stub.apply(channel(address)).withDeadlineAfter(TRY_MS, MILLISECONDS));
      } catch (StatusRuntimeException error) {
        var moved = detail(error, SlotMoved.getDefaultInstance());
        var retry = detail(error, RetryInfo.getDefaultInstance());
        var isInDoubt = IN_DOUBT.contains(error.getStatus().getCode());
        var isUndone = moved.hasLeader() || retry.hasRetryDelay() && error.getStatus().getCode() != Code.UNKNOWN;
        if (isUndone || isInDoubt) learn(moved, address);
        if (System.nanoTime() > end || !isUndone && !(isInDoubt && isMarked)) throw error;
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

  /** The node that leads the name's slot, or one that will say who does. */
  private synchronized String leaderOf(ByteString name) {
    return Objects.requireNonNullElse(leaders[slotOf(name)], addresses.getFirst());
  }

  /** Takes note of a redirect, unless it is older than what is known. If it leads nowhere, ask others. */
  private synchronized void learn(SlotMoved moved, String teller) {
    if (!moved.hasLeader()) {
      Arrays.setAll(leaders, slot -> teller.equals(leaders[slot]) ? null : leaders[slot]);
      if (teller.equals(addresses.getFirst())) addresses.addLast(addresses.removeFirst());
      return;
    }
    redirects.incrementAndGet();
    if (moved.getConfigEpoch() < epoch) return;
    epoch = moved.getConfigEpoch();
    var address = moved.getLeader().getHost() + ":" + moved.getLeader().getPort();
    Arrays.fill(leaders, moved.getRange().getFirst(), moved.getRange().getLast() + 1, address);
    if (!addresses.contains(address)) addresses.addLast(address);
  }

  /** CRC16 of what stands in the first braces of a key or channel, else of the whole name. */
  private static int slotOf(ByteString name) {
    var text = name.toString(StandardCharsets.ISO_8859_1);
    var tag = TAG.matcher(text);
    var crc = 0;
    for (var each : (tag.lookingAt() ? tag.group(1) : text).toCharArray()) {
      crc ^= each << 8;
      for (var bit = 0; bit < 8; bit++) crc = crc << 1 ^ ((crc & 0x8000) == 0 ? 0 : 0x1021);
    }
    return crc & (SLOTS - 1);
  }

  private static long pauseMs(int attempt, Duration atLeast) {
    var longest = Math.min(BACKOFF_MS << Math.min(attempt, 10), BACKOFF_MS_MAX);
    var drawn = ThreadLocalRandom.current().nextLong(longest + 1);
    return atLeast.getSeconds() * 1_000 + atLeast.getNanos() / 1_000_000 + drawn;
  }

  /** Names, of streams or channels, at the nodes that lead them: one call to each of these. Finds events. */
  private abstract static class Placed<Q, A, E> implements AutoCloseable {
    final Slotcast client;
    private final MethodDescriptor<Q, A> method;
    private final Q opening;
    final BlockingQueue<Supplier<E>> found = new LinkedBlockingQueue<>();
    final Map<ByteString, Call> homes = new ConcurrentHashMap<>();
    final Map<ByteString, Integer> tries = new ConcurrentHashMap<>();
    private final Map<String, Call> calls = new HashMap<>();
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
    public E next() throws InterruptedException {
      return found.take().get();
    }

    @Override public synchronized void close() {
      isClosed = true;
      List.copyOf(calls.values()).forEach(call -> call.end(Status.CANCELLED));
    }

    synchronized void place(ByteString name) {
      if (isClosed) return;
      var call = calls.computeIfAbsent(client.leaderOf(name), Call::new);
      homes.put(name, call);
      call.send(adding(name));
    }

    /** A name is no longer where it was: soon it goes where it was moved, or to whoever leads it. */
    synchronized void placeAnew(ByteString name, SlotMoved moved, Error error) {
      client.learn(moved, homes.remove(name).address);
      if (!error.getCode().isEmpty() && !error.hasRetryDelay())
        found.add(() -> { throw new IllegalStateException(error.getText()); });
      else client.timer.schedule(
          () -> place(name), pauseMs(tries.merge(name, 1, Integer::sum), error.getRetryDelay()), MILLISECONDS);
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
        node.onNext(opening);
        listen();
      }

      private void listen() {
        silence = client.timer.schedule(() -> end(Status.UNAVAILABLE), SILENCE_MS_MAX, MILLISECONDS);
      }

      void send(Q frame) {
        synchronized (Placed.this) {
          if (calls.get(address) == this) node.onNext(frame);
        }
      }

      private void end(Status status) {
        synchronized (Placed.this) {
          if (!calls.remove(address, this)) return;
          silence.cancel(false);
          node.cancel("given up", null);
          if (!IN_DOUBT.contains(status.getCode())) found.add(() -> { throw status.asRuntimeException(); });
          for (var name : List.copyOf(homes.keySet()))
            if (homes.get(name) == this) placeAnew(name, SlotMoved.getDefaultInstance(), Error.getDefaultInstance());
        }
      }

      @Override public void onNext(A frame) {
        silence.cancel(false);
        take(this, frame);
        listen();
      }

      @Override public void onError(Throwable error) { end(Status.fromThrowable(error)); }

      @Override public void onCompleted() { end(Status.UNAVAILABLE); }
    }
  }

  public record Entry(ByteString key, String id, List<Field> fields, boolean isRedelivered) {
    private boolean isSame(Entry other) {
      return id.equals(other.id) && key.equals(other.key);
    }
  }

  /** One consumer of a group over streams on all nodes. */
  public static final class Consumer extends Placed<ConsumeRequest, ConsumeResponse, Entry> {
    private record Ack(Entry entry, ConsumeRequest frame, CompletableFuture<Long> settled) {}

    private final Map<ByteString, ByteString> tokens = new ConcurrentHashMap<>();
    private final Map<Long, Ack> acks = new ConcurrentHashMap<>();
    private final AtomicLong tags = new AtomicLong();

    /** @param credit how many entries a node may send ahead */
    public Consumer(Slotcast client, Collection<ByteString> keys, ConsumeOpen.Builder open, int credit) {
      super(client, GroupServiceGrpc.getConsumeMethod(),
          credit(credit).toBuilder().setOpen(open.setHeartbeat(HEARTBEAT)).build());
      keys.forEach(this::place);
    }

    private static ConsumeRequest credit(int entries) {
      return ConsumeRequest.newBuilder().setCredit(ConsumeCredit.newBuilder().setEntries(entries)).build();
    }

    /** Waits for what is acknowledged to be settled, then hangs up. */
    @Override public void close() {
      CompletableFuture.allOf(acks.values().stream().map(Ack::settled).toArray(CompletableFuture[]::new))
          .completeOnTimeout(null, PATIENCE_MS, MILLISECONDS).exceptionally(failed -> null).join();
      super.close();
    }

    /** The entry is done with; sent again until that is settled. @return 1, or 0 if it was before */
    public CompletableFuture<Long> ack(Entry entry) {
      var frame = ConsumeRequest.newBuilder();
      var tag = tags.incrementAndGet();
      frame.addAcksBuilder().setTag(tag).setKey(entry.key).addIds(entry.id);
      var ack = new Ack(entry, frame.build(), new CompletableFuture<>());
      acks.put(tag, ack);
      send(ack);
      return ack.settled;
    }

    /** Sends an ack to where its stream is consumed; while that is nowhere, placing it will. */
    private void send(Ack ack) {
      var call = homes.get(ack.entry.key);
      if (call != null && !ack.settled.isDone()) call.send(ack.frame);
    }

    @Override ConsumeRequest adding(ByteString key) {
      var frame = ConsumeRequest.newBuilder();
      frame.addAddBuilder().setKey(key).setResumeToken(tokens.getOrDefault(key, ByteString.EMPTY));
      for (var ack : acks.values()) if (ack.entry.key.equals(key)) frame.mergeFrom(ack.frame);
      return frame.build();
    }

    @Override void take(Call call, ConsumeResponse frame) {
      for (var batch : frame.getEntriesList()) {
        tries.remove(batch.getKey());
        tokens.put(batch.getKey(), batch.getResumeToken());
        for (var each : batch.getEntriesList()) {
          var it = each.getEntry();
          var entry = new Entry(batch.getKey(), it.getId(), it.getFieldsList(), each.getRedelivered());
          if (isAcking(entry)) call.send(credit(1)); // done with; its ack is under way
          else found.add(() -> { call.send(credit(1)); return entry; });
        }
      }
      frame.getSettledList().forEach(this::settle);
      frame.getEndedList().forEach(
          ended -> placeAnew(ended.getKey(), ended.getRedirect().getMoved(), ended.getError()));
    }

    private boolean isAcking(Entry entry) {
      return entry.isRedelivered && acks.values().stream().anyMatch(ack -> ack.entry.isSame(entry));
    }

    private void settle(ConsumeSettled outcome) {
      var ack = acks.get(outcome.getTag());
      if (ack == null) return; // it was sent twice, and settled before
      var error = outcome.getError();
      if (outcome.hasRedirect() || error.hasRetryDelay() || error.getCode().equals("INDOUBT")) {
        // Again, to where the stream is by then: that it moves is told by its end.
        client.timer.schedule(() -> send(ack), pauseMs(1, error.getRetryDelay()), MILLISECONDS);
        return;
      }
      acks.remove(outcome.getTag());
      if (outcome.hasError()) ack.settled.completeExceptionally(new IllegalStateException(error.getText()));
      else ack.settled.complete(outcome.getCount());
    }
  }

  /** Subscriptions to sharded channels on all nodes. Events are `started`, of which each may follow a gap, and `message`. */
  public static final class Subscriber extends Placed<SubscribeRequest, SubscribeResponse, SubscribeEvent> {
    private final Semaphore room = new Semaphore(EVENTS_WAITING_MAX);

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
        var refused = event.getRefused();
        if (event.hasMoved()) placeAnew(event.getMoved().getChannel(), event.getMoved().getMoved(), refused.getError());
        else if (event.hasRefused()) placeAnew(refused.getName(), refused.getRedirect().getMoved(), refused.getError());
        else {
          tries.remove(event.getStarted().getName());
          room.acquireUninterruptibly();
          found.add(() -> { room.release(); return event; });
        }
      }
    }
  }
}
