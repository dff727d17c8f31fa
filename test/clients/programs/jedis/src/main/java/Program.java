// What a user does with jedis' JedisCluster.
//
//     java -jar program.jar HOST:PORT[,HOST:PORT...] KEY[,KEY...]

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisCluster;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.JedisShardedPubSub;
import redis.clients.jedis.Response;
import redis.clients.jedis.StreamEntryID;
import redis.clients.jedis.Transaction;
import redis.clients.jedis.args.ListDirection;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.exceptions.JedisRedirectionException;
import redis.clients.jedis.params.XAddParams;
import redis.clients.jedis.params.XPendingParams;
import redis.clients.jedis.params.XReadGroupParams;
import redis.clients.jedis.params.XReadParams;
import redis.clients.jedis.resps.StreamEntry;
import redis.clients.jedis.util.JedisClusterCRC16;

public final class Program {
  private static final String GROUP = "billing";
  private static final int PIPELINE = 100;
  private static final int WAIT_S = 20;
  private static final int AGAIN_S = 30;
  private static final int PAUSE_MS = 50;

  /** Threads that wait for others; those of the ears end with the program. */
  private final ExecutorService threads = Executors.newCachedThreadPool(work -> {
    var thread = new Thread(work);
    thread.setDaemon(true);
    return thread;
  });
  private final JedisCluster client;
  private final List<String> keys;
  private final String news;
  /** IDs of the entries acknowledged, by stream. */
  private final Map<String, List<StreamEntryID>> acknowledged = new ConcurrentHashMap<>();
  private final Set<String> heard = ConcurrentHashMap.newKeySet();

  private Program(JedisCluster client, List<String> keys) {
    this.client = client;
    this.keys = keys;
    this.news = "{" + keys.get(0) + "}:all";
  }

  public static void main(String[] args) throws Exception {
    var nodes = Stream.of(args[0].split(",")).map(HostAndPort::from).collect(Collectors.toSet());
    try (var client = new JedisCluster(nodes)) {
      new Program(client, List.of(args[1].split(","))).run();
    }
  }

  private interface Work {
    void run() throws Exception;
  }

  private void run() throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in));
    step("streams", this::streams);
    step("lists", this::lists);
    step("transaction", this::transaction);
    step("broadcast", this::broadcast);
    step("patterns", this::patterns);
    step("sharded", this::sharded);
    tell("waiting");
    for (String line; (line = lines.readLine()) != null && !line.equals("killed"); ) continue;
    step("streams-again", this::streamsAgain);
    step("lists-again", this::listsAgain);
    step("broadcast-again", this::broadcastAgain);
    step("sharded-again", this::shardedAgain);
    tell("done");
  }

  private static void step(String name, Work work) throws Exception {
    work.run();
    tell(name);
  }

  private static void tell(String step) {
    System.out.println("{\"step\": \"" + step + "\"}");
  }

  private void streams() throws Exception {
    for (var key : keys) {
      var stream = "{" + key + "}:stream";
      var first = append(key, "book");
      equal(client.xgroupCreate(stream, GROUP, StreamEntryID.XGROUP_LAST_ENTRY, false), "OK");
      var params = XReadGroupParams.xReadGroupParams().count(10).block(WAIT_S * 1000);
      var waiting = threads.submit(() -> again(() -> readGroup(stream, params)));
      Thread.sleep(PAUSE_MS);
      var entry = append(key, "pen");
      equal(waiting.get(), List.of(entry));
      equal(client.xpending(stream, GROUP).getTotal(), 1L);
      equal(client.xpending(stream, GROUP, XPendingParams.xPendingParams("-", "+", 10)).get(0).getConsumerName(), "w1");
      equal(client.xack(stream, GROUP, entry), 1L);
      equal(client.xpending(stream, GROUP).getTotal(), 0L);
      for (var left = PIPELINE; left > 0; ) left -= pipeline(stream, left);
      equal(client.xinfoStream(stream).getLength(), PIPELINE + 2L);
      equal(client.xinfoGroups(stream).get(0).getName(), GROUP);
      var read = client.xread(XReadParams.xReadParams().count(1), Map.of(stream, new StreamEntryID()));
      equal(ids(read), List.of(first));
    }
  }

  /** Appends so many entries at once. @return how many were; the others came to a node that leads no more */
  private int pipeline(String stream, int count) {
    var answers = new ArrayList<Response<StreamEntryID>>();
    try (var pipeline = client.pipelined()) {
      for (var number = 0; number < count; number++)
        answers.add(pipeline.xadd(stream, StreamEntryID.NEW_ENTRY, Map.of("n", String.valueOf(number))));
    }
    var done = 0;
    for (var answer : answers) {
      try {
        acknowledged.get(stream).add(answer.get());
        done += 1;
      } catch (JedisRedirectionException moved) {
        System.err.println("pipeline: " + moved);
      }
    }
    if (done < count) refresh();
    return done;
  }

  private void lists() throws Exception {
    for (var key : keys) {
      var mine = "{" + key + "}:list";
      var other = "{" + key + "}:other";
      equal(client.rpush(mine, "a", "b", "c"), 3L);
      equal(client.lpop(mine), "a");
      equal(client.rpoplpush(mine, mine), "c");
      equal(client.lrange(mine, 0, -1), List.of("c", "b"));
      equal(client.blmove(mine, other, ListDirection.LEFT, ListDirection.RIGHT, WAIT_S), "c");
      equal(client.brpoplpush(mine, other, WAIT_S), "b");
      equal(client.lrange(other, 0, -1), List.of("b", "c"));
      var waiting = threads.submit(() -> again(() -> client.blpop(WAIT_S, mine)));
      Thread.sleep(PAUSE_MS);
      equal(client.rpush(mine, "late"), 1L);
      equal(waiting.get(), List.of(mine, "late"));
    }
  }

  /**
   * JedisCluster has none of its own: a Transaction takes the connection to the slot's node, and when that leads no more,
   * to find the new one is the user's.
   */
  private void transaction() {
    for (var key : keys) {
      var left = "{" + key + "}:left";
      var right = "{" + key + "}:right";
      var one = new StreamEntryID(1, 1);
      equal(again(() -> both(key, left, one, right, one)), List.of(one, one));
      var answers = again(() -> both(key, left, new StreamEntryID(2, 1), right, one));
      if (!(answers.get(1) instanceof JedisDataException error)
          || !error.getMessage().contains("equal or smaller than the target"))
        throw new AssertionError("an ID that is too small was taken: " + answers);
    }
  }

  private List<Object> both(String key, String left, StreamEntryID leftId, String right, StreamEntryID rightId) {
    try (var connection = client.getConnectionFromSlot(JedisClusterCRC16.getSlot(key));
        var transaction = new Transaction(connection)) {
      transaction.xadd(left, XAddParams.xAddParams().id(leftId), Map.of("n", "1"));
      transaction.xadd(right, XAddParams.xAddParams().id(rightId), Map.of("n", "1"));
      return transaction.exec();
    } catch (JedisException error) {
      System.err.println("transaction: " + error);
      refresh();
      throw error;
    }
  }

  private void broadcast() throws InterruptedException {
    listen(new Ear(), ear -> client.subscribe(ear, news));
    hear("message " + news + " hello", () -> client.publish(news, "hello"));
  }

  private void patterns() throws InterruptedException {
    listen(new Ear(), ear -> client.psubscribe(ear, news + ".*"));
    hear("pmessage " + news + ".one hello", () -> client.publish(news + ".one", "hello"));
  }

  private void sharded() throws InterruptedException {
    for (var key : keys) {
      var ear = new ShardedEar();
      keepUp(() -> client.ssubscribe(ear, "{" + key + "}:news"));
      ear.stands.await(WAIT_S, TimeUnit.SECONDS);
    }
    for (var key : keys) {
      var channel = "{" + key + "}:news";
      hear("smessage " + channel + " hello", () -> client.spublish(channel, "hello"));
    }
  }

  private void streamsAgain() {
    for (var key : keys) {
      var stream = "{" + key + "}:stream";
      again(() -> append(key, "again"));
      var held = again(() -> client.xrange(stream, "-", "+")).stream().map(StreamEntry::getID).toList();
      for (var id : acknowledged.get(stream)) if (!held.contains(id)) throw new AssertionError(id + " is lost");
      equal(again(() -> readGroup(stream, XReadGroupParams.xReadGroupParams().count(1))).size(), 1);
    }
  }

  private void listsAgain() {
    for (var key : keys) {
      var mine = "{" + key + "}:list";
      equal(again(() -> client.lrange("{" + key + "}:other", 0, -1)), List.of("b", "c"));
      again(() -> client.rpush(mine, "again"));
      equal(again(() -> client.lpop(mine)), "again");
    }
  }

  private void broadcastAgain() throws InterruptedException {
    hear("message " + news + " again", () -> client.publish(news, "again"));
    hear("pmessage " + news + ".one again", () -> client.publish(news + ".one", "again"));
  }

  private void shardedAgain() throws InterruptedException {
    for (var key : keys) {
      var channel = "{" + key + "}:news";
      hear("smessage " + channel + " again", () -> client.spublish(channel, "again"));
    }
  }

  private StreamEntryID append(String key, String value) {
    var stream = "{" + key + "}:stream";
    var id = client.xadd(stream, StreamEntryID.NEW_ENTRY, Map.of("item", value));
    acknowledged.computeIfAbsent(stream, name -> new ArrayList<>()).add(id);
    return id;
  }

  private List<StreamEntryID> readGroup(String stream, XReadGroupParams params) {
    return ids(client.xreadGroup(GROUP, "w1", params, Map.of(stream, StreamEntryID.XREADGROUP_UNDELIVERED_ENTRY)));
  }

  private static List<StreamEntryID> ids(List<Map.Entry<String, List<StreamEntry>>> read) {
    return read.get(0).getValue().stream().map(StreamEntry::getID).toList();
  }

  private final class Ear extends JedisPubSub {
    final CountDownLatch stands = new CountDownLatch(1);

    @Override
    public void onSubscribe(String channel, int count) {
      stands.countDown();
    }

    @Override
    public void onPSubscribe(String pattern, int count) {
      stands.countDown();
    }

    @Override
    public void onMessage(String channel, String message) {
      heard.add("message " + channel + " " + message);
    }

    @Override
    public void onPMessage(String pattern, String channel, String message) {
      heard.add("pmessage " + channel + " " + message);
    }
  }

  private final class ShardedEar extends JedisShardedPubSub {
    final CountDownLatch stands = new CountDownLatch(1);

    @Override
    public void onSSubscribe(String channel, int count) {
      stands.countDown();
    }

    @Override
    public void onSMessage(String channel, String message) {
      heard.add("smessage " + channel + " " + message);
    }
  }

  private void listen(Ear ear, java.util.function.Consumer<Ear> subscription) throws InterruptedException {
    keepUp(() -> subscription.accept(ear));
    ear.stands.await(WAIT_S, TimeUnit.SECONDS);
  }

  /**
   * Subscribes for ever, in a thread of its own. In jedis a subscription lasts as long as its connection, and a sharded
   * one until its channel moves; it follows no redirect. What comes then is the user's.
   */
  private void keepUp(Runnable subscription) {
    threads.execute(() -> {
      while (true) {
        try {
          subscription.run();
        } catch (JedisException error) {
          System.err.println("ear: " + error);
          refresh();
        }
        pause();
      }
    });
  }

  /** Publishes until it is heard: interest reaches the other nodes a moment after the subscription. */
  private void hear(String expected, Supplier<Long> publish) throws InterruptedException {
    eventually(expected, () -> {
      if (heard.contains(expected)) return true;
      try {
        publish.get();
      } catch (JedisException error) {
        System.err.println("publish: " + error);
      }
      return heard.contains(expected);
    });
  }

  /** Does it again after an exception, as every user does: also when a leader that steps down ends a wait. */
  private static <T> T again(Supplier<T> attempt) {
    var end = System.nanoTime() + TimeUnit.SECONDS.toNanos(AGAIN_S);
    while (true) {
      try {
        return attempt.get();
      } catch (JedisException error) {
        if (System.nanoTime() > end) throw error;
        pause();
      }
    }
  }

  private static void eventually(String what, BooleanSupplier holds) {
    var end = System.nanoTime() + TimeUnit.SECONDS.toNanos(AGAIN_S);
    while (!holds.getAsBoolean()) {
      if (System.nanoTime() > end) throw new AssertionError(what + ": not within " + AGAIN_S + " s");
      pause();
    }
  }

  /** Asks the nodes again who leads what. */
  private void refresh() {
    try {
      client.refreshClusterTopology();
    } catch (JedisException error) {
      System.err.println("map: " + error);
    }
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE_MS);
    } catch (InterruptedException nobodyDoes) {
      throw new IllegalStateException(nobodyDoes);
    }
  }

  private static void equal(Object found, Object expected) {
    if (!expected.equals(found)) throw new AssertionError(found + " is not " + expected);
  }
}
