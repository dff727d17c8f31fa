// The contract that every client keeps (test/contract): appends to streams and consumes them, publishes and
// listens.
//
//     java -jar contract.jar ADDRESS[,ADDRESS...] STREAM[,STREAM...] CHANNEL[,CHANNEL...] GROUP RATE
//
// Appends RATE entries a second and publishes until a line `stop` comes in, and consumes and listens until
// `end` or the end of the input. Tells what happens as lines of JSON.
package slotcast.contract;

import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.protobuf.ByteString;
import io.grpc.StatusRuntimeException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.stream.Stream;
import slotcast.client.Slotcast;
import slotcast.v1.Consume.ConsumeOpen;
import slotcast.v1.Stream.Field;

public final class Main {
  private static final int AT_ONCE = 64;
  private static final int MESSAGES_A_SECOND = 20;
  private static final int CREDIT = 512;
  private static final long SETTLE_S_MAX = 40;
  private static final ByteString FIELD = ByteString.copyFromUtf8("value");

  private final ExecutorService threads = Executors.newCachedThreadPool();
  /** Whoever consumes helps when they fall behind. */
  private final ExecutorService acks = new ThreadPoolExecutor(AT_ONCE, AT_ONCE, 1, SECONDS,
      new ArrayBlockingQueue<>(CREDIT), new ThreadPoolExecutor.CallerRunsPolicy());
  private final Slotcast client;
  private final List<ByteString> streams;
  private final List<ByteString> channels;
  private final long rate;
  private volatile boolean isStopped;

  private Main(Slotcast client, List<ByteString> streams, List<ByteString> channels, long rate) {
    this.client = client;
    this.streams = streams;
    this.channels = channels;
    this.rate = rate;
  }

  public static void main(String[] args) throws IOException, InterruptedException {
    if (args.length != 5) {
      System.err.println("ADDRESS[,ADDRESS...] STREAM[,STREAM...] CHANNEL[,CHANNEL...] GROUP RATE");
      System.exit(2);
    }
    try (var client = new Slotcast(List.of(args[0].split(",")))) {
      var main = new Main(client, names(args[1]), names(args[2]), Long.parseLong(args[4]));
      main.run(ByteString.copyFromUtf8(args[3]));
      tell("done", "redirects", client.redirects.get());
    }
  }

  private static List<ByteString> names(String words) {
    return Stream.of(words.split(",")).map(ByteString::copyFromUtf8).toList();
  }

  private void run(ByteString group) throws IOException, InterruptedException {
    var lines = new BufferedReader(new InputStreamReader(System.in));
    var open = ConsumeOpen.newBuilder().setGroup(group).setCreateFrom("0");
    open.setConsumer(ByteString.copyFromUtf8("java"));
    try (var consumer = new Slotcast.Consumer(client, streams, open, CREDIT);
        var subscriber = new Slotcast.Subscriber(client, channels)) {
      start(threads, () -> consume(consumer));
      start(threads, () -> listen(subscriber));
      var working = new ArrayList<Future<?>>();
      working.add(start(threads, this::append));
      for (var turn = 0; turn < channels.size(); turn++) {
        var first = turn;
        working.add(start(threads, () -> publish(first)));
      }
      for (String line; (line = lines.readLine()) != null && !line.equals("end"); ) {
        if (!line.equals("stop")) continue;
        isStopped = true;
        for (var work : working) await(work);
        tell("stopped");
      }
      isStopped = true;
      threads.shutdownNow();
      threads.awaitTermination(1, SECONDS);
      acks.shutdown();
      acks.awaitTermination(SETTLE_S_MAX, SECONDS);
    }
  }

  /** Work that tells when it fails. */
  private static Future<?> start(ExecutorService threads, Callable<Void> work) {
    return threads.submit(() -> {
      try {
        work.call();
      } catch (InterruptedException end) {
        // As was asked.
      } catch (Exception error) {
        tell("failed", "text", error.toString());
      }
    });
  }

  private static void await(Future<?> work) throws InterruptedException {
    try {
      work.get();
    } catch (ExecutionException told) {
      // By itself.
    }
  }

  private Void append() throws InterruptedException {
    var room = new Semaphore(AT_ONCE);
    var begin = System.nanoTime();
    for (var number = 0L; !isStopped; number++) {
      room.acquire();
      var key = streams.get((int) (number % streams.size()));
      var value = "java-" + number;
      start(threads, () -> {
        try {
          var field = Field.newBuilder().setName(FIELD).setValue(ByteString.copyFromUtf8(value));
          var id = client.append(key, List.of(field.build()));
          tell("appended", "key", key.toStringUtf8(), "id", id, "value", value);
        } finally {
          room.release();
        }
        return null;
      });
      NANOSECONDS.sleep(begin + SECONDS.toNanos(number + 1) / rate - System.nanoTime());
    }
    room.acquire(AT_ONCE);
    return null;
  }

  /** The messages of one channel, one after the other: each waits for what became of the one before. */
  private Void publish(int turn) throws InterruptedException {
    var channel = channels.get(turn);
    for (var number = turn; ; number += channels.size()) {
      NANOSECONDS.sleep(SECONDS.toNanos(channels.size()) / MESSAGES_A_SECOND);
      if (isStopped) return null;
      var value = "java-" + number;
      try {
        var count = client.publish(channel, ByteString.copyFromUtf8(value));
        tell("published", "key", channel.toStringUtf8(), "value", value, "count", count);
      } catch (StatusRuntimeException error) {
        if (!Slotcast.IN_DOUBT.contains(error.getStatus().getCode())) throw error;
      }
    }
  }

  private Void consume(Slotcast.Consumer consumer) throws InterruptedException {
    while (true) {
      var entry = consumer.next();
      var key = entry.key().toStringUtf8();
      var found = entry.consumed();
      var id = found.getEntry().getId();
      var value = found.getEntry().getFields(0).getValue().toStringUtf8();
      tell("entry", "key", key, "id", id, "value", value, "redelivered", found.getRedelivered());
      start(acks, () -> {
        tell("settled", "key", key, "id", id, "count", consumer.ack(entry));
        return null;
      });
    }
  }

  private Void listen(Slotcast.Subscriber subscriber) throws InterruptedException {
    while (true) {
      var event = subscriber.next();
      var key = event.hasStarted() ? event.getStarted().getName() : event.getMessage().getChannel();
      var value = event.getMessage().getPayload().toStringUtf8();
      if (event.hasStarted()) tell("subscribed", "key", key.toStringUtf8());
      else tell("message", "key", key.toStringUtf8(), "value", value);
    }
  }

  /** @param values names of values, each before its value */
  private static void tell(String event, Object... values) {
    var line = new StringBuilder("{\"event\":\"").append(event).append('"');
    for (var i = 0; i < values.length; i += 2) {
      line.append(",\"").append(values[i]).append("\":");
      if (values[i + 1] instanceof String text) line.append('"').append(escaped(text)).append('"');
      else line.append(values[i + 1]);
    }
    System.out.println(line.append('}'));
  }

  private static String escaped(String text) {
    var escaped = new StringBuilder();
    for (var each : text.toCharArray()) {
      if (each == '"' || each == '\\') escaped.append('\\').append(each);
      else if (each < ' ') escaped.append(String.format("\\u%04x", (int) each));
      else escaped.append(each);
    }
    return escaped.toString();
  }
}
