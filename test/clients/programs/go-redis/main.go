// What a user does with go-redis' ClusterClient.
//
//	go-redis HOST:PORT[,HOST:PORT...] KEY[,KEY...]
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	group    = "billing"
	pipeline = 100
	wait     = 20 * time.Second
	// How long a user tries again after an error.
	patience = 30 * time.Second
	pause    = 50 * time.Millisecond
)

type user struct {
	ctx    context.Context
	client *redis.ClusterClient
	keys   []string
	// IDs of the entries acknowledged, by stream.
	acknowledged map[string][]string
	ears         sync.WaitGroup
	mu           sync.Mutex
	heard        map[string]bool
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go-redis HOST:PORT[,HOST:PORT...] KEY[,KEY...]")
		os.Exit(2)
	}
	ctx, cancel := context.WithCancel(context.Background())
	options := &redis.ClusterOptions{
		Addrs: strings.Split(os.Args[1], ","),
		// go-redis asks who leads at this interval, and when it is redirected, but not when a node is dead: a minute
		// unless told otherwise.
		ClusterStateReloadInterval: 5 * time.Second,
	}
	u := &user{
		ctx:          ctx,
		client:       redis.NewClusterClient(options),
		keys:         strings.Split(os.Args[2], ","),
		acknowledged: map[string][]string{},
		heard:        map[string]bool{},
	}
	err := u.all()
	cancel()
	err = errors.Join(err, u.client.Close())
	u.ears.Wait()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tell("done")
}

func (u *user) all() error {
	err := errors.Join() // none
	do := func(name string, step func() error) {
		if err != nil {
			return
		}
		if err = step(); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			return
		}
		tell(name)
	}
	each := func(step func(key string) error) func() error {
		return func() error {
			for _, key := range u.keys {
				if err := step(key); err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
			}
			return nil
		}
	}
	do("streams", each(u.streams))
	do("lists", each(u.lists))
	do("transaction", each(u.transaction))
	do("broadcast", u.broadcast)
	do("patterns", u.patterns)
	do("sharded", each(u.sharded))
	do("waiting", func() error { return nil })
	for lines := bufio.NewScanner(os.Stdin); err == nil && lines.Scan() && lines.Text() != "killed"; {
	}
	do("streams-again", each(u.streamsAgain))
	do("lists-again", each(u.listsAgain))
	do("broadcast-again", u.broadcastAgain)
	do("sharded-again", each(u.shardedAgain))
	return err
}

func (u *user) streams(key string) error {
	stream := tagged(key, "stream")
	first, err := u.append(key, "book")
	if err != nil {
		return err
	}
	if err := u.client.XGroupCreate(u.ctx, stream, group, "$").Err(); err != nil {
		return err
	}
	type answer struct {
		ids []string
		err error
	}
	waiting := make(chan answer, 1)
	go func() {
		ids, err := u.readGroup(stream, 10, wait)
		waiting <- answer{ids, err}
	}()
	time.Sleep(pause)
	id, err := u.append(key, "pen")
	if err != nil {
		return err
	}
	read := <-waiting
	pending, err := u.client.XPending(u.ctx, stream, group).Result()
	if err := errors.Join(read.err, err); err != nil {
		return err
	}
	listed, err := u.client.XPendingExt(u.ctx, &redis.XPendingExtArgs{
		Stream: stream, Group: group, Start: "-", End: "+", Count: 10,
	}).Result()
	if err := errors.Join(err, equal(read.ids, []string{id}), equal(pending.Count, 1), equal(len(listed), 1)); err != nil {
		return err
	}
	acked, ackErr := u.client.XAck(u.ctx, stream, group, id).Result()
	pending, err = u.client.XPending(u.ctx, stream, group).Result()
	if err := errors.Join(ackErr, err); err != nil {
		return err
	}
	if err := errors.Join(equal(listed[0].Consumer, "w1"), equal(acked, 1), equal(pending.Count, 0)); err != nil {
		return err
	}
	added, err := u.client.Pipelined(u.ctx, func(pipe redis.Pipeliner) error {
		for number := range pipeline {
			pipe.XAdd(u.ctx, &redis.XAddArgs{Stream: stream, Values: []any{"n", number}})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, command := range added {
		u.acknowledged[stream] = append(u.acknowledged[stream], command.(*redis.StringCmd).Val())
	}
	info, infoErr := u.client.XInfoStream(u.ctx, stream).Result()
	groups, groupsErr := u.client.XInfoGroups(u.ctx, stream).Result()
	oldest, err := u.client.XRead(u.ctx, &redis.XReadArgs{Streams: []string{stream, "0"}, Count: 1, Block: -1}).Result()
	if err := errors.Join(infoErr, groupsErr, err); err != nil {
		return err
	}
	return errors.Join(
		equal(len(added), pipeline),
		equal(info.Length, pipeline+2),
		equal(len(groups), 1),
		equal(groups[0].Name, group),
		equal(idsIn(oldest), []string{first}),
	)
}

func (u *user) lists(key string) error {
	list, other := tagged(key, "list"), tagged(key, "other")
	ctx, client := u.ctx, u.client
	err := errors.Join(
		answers(client.RPush(ctx, list, "a", "b", "c"), 3),
		answers(client.LPop(ctx, list), "a"),
		answers(client.RPopLPush(ctx, list, list), "c"),
		answers(client.LRange(ctx, list, 0, -1), []string{"c", "b"}),
		answers(client.BLMove(ctx, list, other, "LEFT", "RIGHT", wait), "c"),
		answers(client.BRPopLPush(ctx, list, other, wait), "b"),
		answers(client.LRange(ctx, other, 0, -1), []string{"b", "c"}),
	)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- answers(client.BLPop(ctx, wait, list), []string{list, "late"}) }()
	time.Sleep(pause)
	pushed := answers(client.RPush(ctx, list, "late"), 1)
	return errors.Join(pushed, <-served)
}

func (u *user) transaction(key string) error {
	left, right := tagged(key, "left"), tagged(key, "right")
	add := func(pipe redis.Pipeliner, stream, id string) *redis.StringCmd {
		return pipe.XAdd(u.ctx, &redis.XAddArgs{Stream: stream, ID: id, Values: []any{"n", 1}})
	}
	var one, two *redis.StringCmd
	_, err := u.client.TxPipelined(u.ctx, func(pipe redis.Pipeliner) error {
		one, two = add(pipe, left, "1-1"), add(pipe, right, "1-1")
		return nil
	})
	if err := errors.Join(err, answers(one, "1-1"), answers(two, "1-1")); err != nil {
		return err
	}
	_, err = u.client.TxPipelined(u.ctx, func(pipe redis.Pipeliner) error {
		one, two = add(pipe, left, "2-1"), add(pipe, right, "1-1")
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "equal or smaller than the target") {
		return fmt.Errorf("an ID that is too small: %v", err)
	}
	return answers(one, "2-1")
}

// news is a channel whose slot is led by the node that will be killed: go-redis subscribes there.
func (u *user) news() string {
	return tagged(u.keys[0], "all")
}

func (u *user) broadcast() error {
	// Of these, go-redis makes a new connection by itself.
	u.hear("", u.client.Subscribe(u.ctx, u.news()))
	return u.hears(u.news(), "hello", "", u.client.Publish)
}

func (u *user) patterns() error {
	u.hear("pattern ", u.client.PSubscribe(u.ctx, u.news()+".*"))
	return u.hears(u.news()+".one", "hello", "pattern ", u.client.Publish)
}

func (u *user) sharded(key string) error {
	channel := tagged(key, "news")
	u.ears.Go(func() { u.hearShard(channel) })
	return u.hears(channel, "hello", "sharded ", u.client.SPublish)
}

func (u *user) streamsAgain(key string) error {
	stream := tagged(key, "stream")
	var rows []redis.XMessage
	var read []string
	err := errors.Join(
		again(func() (err error) { _, err = u.append(key, "again"); return }),
		again(func() (err error) { rows, err = u.client.XRange(u.ctx, stream, "-", "+").Result(); return }),
		again(func() (err error) { read, err = u.readGroup(stream, 1, -1); return }),
	)
	held := idsIn([]redis.XStream{{Messages: rows}})
	for _, id := range u.acknowledged[stream] {
		if !slices.Contains(held, id) {
			err = errors.Join(err, fmt.Errorf("%s is lost", id))
		}
	}
	return errors.Join(err, equal(len(read), 1))
}

func (u *user) listsAgain(key string) error {
	list, other := tagged(key, "list"), tagged(key, "other")
	return errors.Join(
		again(func() error { return answers(u.client.LRange(u.ctx, other, 0, -1), []string{"b", "c"}) }),
		again(func() error { return u.client.RPush(u.ctx, list, "again").Err() }),
		again(func() error { return answers(u.client.LPop(u.ctx, list), "again") }),
	)
}

func (u *user) broadcastAgain() error {
	return errors.Join(
		u.hears(u.news(), "again", "", u.client.Publish),
		u.hears(u.news()+".one", "again", "pattern ", u.client.Publish),
	)
}

func (u *user) shardedAgain(key string) error {
	return u.hears(tagged(key, "news"), "again", "sharded ", u.client.SPublish)
}

func (u *user) append(key, value string) (string, error) {
	stream := tagged(key, "stream")
	id, err := u.client.XAdd(u.ctx, &redis.XAddArgs{Stream: stream, Values: []any{"item", value}}).Result()
	if err == nil {
		u.acknowledged[stream] = append(u.acknowledged[stream], id)
	}
	return id, err
}

// readGroup reads what is new; below zero it does not block.
func (u *user) readGroup(stream string, count int64, block time.Duration) ([]string, error) {
	read, err := u.client.XReadGroup(u.ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: "w1", Streams: []string{stream, ">"}, Count: count, Block: block,
	}).Result()
	return idsIn(read), err
}

// hear notes what comes by a subscription.
func (u *user) hear(kind string, pubsub *redis.PubSub) {
	u.ears.Go(func() {
		defer pubsub.Close()
		messages := pubsub.Channel()
		for {
			select {
			case message := <-messages:
				u.note(kind, message)
			case <-u.ctx.Done():
				return
			}
		}
	})
}

// hearShard subscribes to a sharded channel, and anew whenever that has ended. go-redis makes a new connection when
// one breaks, but hands on to the user that the channel is no longer here: as an error of Receive that is MOVED,
// or as a Subscription whose kind is sunsubscribe.
func (u *user) hearShard(channel string) {
	for u.ctx.Err() == nil {
		pubsub := u.client.SSubscribe(u.ctx, channel)
		hangUp := context.AfterFunc(u.ctx, func() { pubsub.Close() })
		for {
			received, err := pubsub.ReceiveTimeout(u.ctx, wait)
			if message, ok := received.(*redis.Message); ok {
				u.note("sharded ", message)
			}
			ended, ok := received.(*redis.Subscription)
			if err != nil || ok && ended.Kind == "sunsubscribe" {
				break
			}
		}
		if hangUp() {
			pubsub.Close()
		}
		time.Sleep(pause)
	}
}

func (u *user) note(kind string, message *redis.Message) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.heard[kind+message.Channel+" "+message.Payload] = true
}

// hears publishes until it is heard: interest reaches the other nodes a moment after the subscription.
func (u *user) hears(channel, text, kind string, publish func(context.Context, string, any) *redis.IntCmd) error {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pause) {
		err = publish(u.ctx, channel, text).Err()
		u.mu.Lock()
		isHeard := u.heard[kind+channel+" "+text]
		u.mu.Unlock()
		if isHeard {
			return nil
		}
	}
	return fmt.Errorf("%s%s: not heard (%w)", kind, channel, err)
}

// again does it again after an error, as every user does.
func again(attempt func() error) error {
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		if err := attempt(); err == nil || time.Now().After(end) {
			return err
		}
	}
}

func tagged(key, suffix string) string {
	return "{" + key + "}:" + suffix
}

func idsIn(streams []redis.XStream) (ids []string) {
	for _, stream := range streams {
		for _, message := range stream.Messages {
			ids = append(ids, message.ID)
		}
	}
	return ids
}

// answers looks at what a command answered.
func answers[T any](command interface{ Result() (T, error) }, expected T) error {
	found, err := command.Result()
	if err != nil {
		return err
	}
	return equal(found, expected)
}

func equal[T any](found, expected T) error {
	if fmt.Sprint(found) != fmt.Sprint(expected) {
		return fmt.Errorf("%v is not %v", found, expected)
	}
	return nil
}

func tell(step string) {
	fmt.Printf("{\"step\": %q}\n", step)
}
