// Command main keeps the contract of every client (test/contract): it appends to streams and consumes them,
// publishes and listens.
//
//	main ADDRESS[,ADDRESS...] STREAM[,STREAM...] CHANNEL[,CHANNEL...] GROUP RATE
//
// It appends RATE entries a second and publishes until a line `stop` comes in, and consumes and listens until
// `end` or the end of the input. It tells what happens as lines of JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "example.com/slotcast/gen/slotcastv1"
	"example.com/slotcast/slotcast"
)

const (
	atOnce          = 256 // appends
	credit          = 512 // entries of a node
	messagesASecond = 20
	messageBytesMax = 64 << 20
	patience        = 30 * time.Second
)

// event is a line of what happens.
type event map[string]any

var telling sync.Mutex

func tell(name string, values event) {
	line := event{"event": name}
	for key, value := range values {
		line[key] = value
	}
	telling.Lock()
	defer telling.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		os.Exit(1) // nobody listens
	}
}

func fail(err error) {
	tell("failed", event{"text": err.Error()})
}

// connections makes one to each address. gRPC would let two minutes pass before it dials a node again that was
// away for long.
func connections() func(address string) *grpc.ClientConn {
	retry := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, MaxDelay: time.Second}
	params := grpc.ConnectParams{Backoff: retry, MinConnectTimeout: time.Second}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(params),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytesMax)),
	}
	var mu sync.Mutex
	conns := map[string]*grpc.ClientConn{}
	return func(address string) *grpc.ClientConn {
		mu.Lock()
		defer mu.Unlock()
		if conns[address] == nil {
			conn, err := grpc.NewClient(address, options...)
			if err != nil {
				panic(err) // it is no address
			}
			conns[address] = conn
		}
		return conns[address]
	}
}

// appendAll appends rate entries a second until stop is closed, and waits for their answers.
func appendAll(client *slotcast.Client, keys []string, rate float64, stop <-chan struct{}) {
	var work sync.WaitGroup
	defer work.Wait()
	room := make(chan struct{}, atOnce)
	begin := time.Now()
	for number := 0; ; number++ {
		due := begin.Add(time.Duration(float64(number) / rate * float64(time.Second)))
		select {
		case <-stop:
			return
		case <-time.After(time.Until(due)):
		}
		room <- struct{}{}
		key, value := keys[number%len(keys)], fmt.Sprintf("go-%d", number)
		work.Go(func() {
			defer func() { <-room }()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			fields := []*pb.Field{{Name: []byte("value"), Value: []byte(value)}}
			request := &pb.StreamServiceAppendRequest{Key: []byte(key), Fields: fields}
			answer := &pb.StreamServiceAppendResponse{}
			if err := client.Call(ctx, key, pb.StreamService_Append_FullMethodName, request, answer); err != nil {
				fail(err)
				return
			}
			tell("appended", event{"key": key, "id": answer.Id, "value": value})
		})
	}
}

// publishAll publishes round robin until stop is closed. The messages of a channel go one after the other: each
// waits for what became of the one before.
func publishAll(client *slotcast.Client, channels []string, stop <-chan struct{}) {
	var work sync.WaitGroup
	defer work.Wait()
	pause := time.Second * time.Duration(len(channels)) / messagesASecond
	for turn, channel := range channels {
		work.Go(func() {
			for number := turn; ; number += len(channels) {
				select {
				case <-stop:
					return
				case <-time.After(pause):
				}
				publish(client, channel, fmt.Sprintf("go-%d", number))
			}
		})
	}
}

func publish(client *slotcast.Client, channel, value string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	publication := &pb.Publication{Channel: []byte(channel), Payload: []byte(value), Sharded: true}
	request, answer := &pb.PublishRequest{Publication: publication}, &pb.PublishResponse{}
	err := client.Call(ctx, channel, pb.PubSubService_Publish_FullMethodName, request, answer)
	if err == nil {
		tell("published", event{"key": channel, "value": value, "count": answer.Receivers})
	} else if !slices.Contains(slotcast.InDoubt, status.Code(err)) {
		fail(err)
	}
}

func handle(key string, consumed *pb.ConsumedEntry, ack func() (uint64, error)) {
	id, value := consumed.Entry.Id, string(consumed.Entry.Fields[0].Value)
	tell("entry", event{"key": key, "id": id, "value": value, "redelivered": consumed.Redelivered})
	count, err := ack()
	if err != nil {
		fail(err)
		return
	}
	tell("settled", event{"key": key, "id": id, "count": count})
}

func hear(heard *pb.SubscribeEvent) {
	if message := heard.GetMessage(); message != nil {
		tell("message", event{"key": string(message.Channel), "value": string(message.Payload)})
	} else if started := heard.GetStarted(); started != nil {
		tell("subscribed", event{"key": string(started.Name)})
	}
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: main ADDRESS[,...] STREAM[,...] CHANNEL[,...] GROUP RATE")
		os.Exit(2)
	}
	rate, err := strconv.ParseFloat(os.Args[5], 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	keys, channels := strings.Split(os.Args[2], ","), strings.Split(os.Args[3], ",")
	producer := fmt.Sprintf("go-%d-%d", os.Getpid(), time.Now().UnixNano())
	client := slotcast.NewClient(producer, strings.Split(os.Args[1], ","), connections())

	ctx, end := context.WithCancel(context.Background())
	var listening, working sync.WaitGroup
	listening.Go(func() {
		from := "0"
		open := &pb.ConsumeOpen{Group: []byte(os.Args[4]), Consumer: []byte("go"), CreateFrom: &from}
		if err := client.Consume(ctx, keys, open, credit, handle); err != context.Canceled {
			fail(err)
		}
	})
	listening.Go(func() {
		if err := client.Subscribe(ctx, channels, hear); err != context.Canceled {
			fail(err)
		}
	})
	stop := make(chan struct{})
	working.Go(func() { appendAll(client, keys, rate, stop) })
	working.Go(func() { publishAll(client, channels, stop) })

	stopping := sync.OnceFunc(func() {
		close(stop)
		working.Wait()
		tell("stopped", nil)
	})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan() && lines.Text() != "end"; {
		if lines.Text() == "stop" {
			stopping()
		}
	}
	end()
	listening.Wait()
	tell("done", event{"redirects": client.Redirects.Load()})
}
