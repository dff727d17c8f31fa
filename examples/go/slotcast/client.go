// Package slotcast is a client for Slotcast over gRPC: it makes calls of all services, consumes and subscribes.
// `make` generates what it needs from proto/. How it is used: main.go.
package slotcast

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pb "example.com/slotcast/gen/slotcastv1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

const heartbeat = time.Second // a node is heard so often; one that is silent for two of them is given up

// InDoubt is how a call ends of which nobody knows whether it was done.
var InDoubt = []codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unknown}

// Client is a cluster: who leads which key or channel, and a producer's numbers.
type Client struct {
	Redirects atomic.Int64 // how many were followed
	producer  string
	sequence  atomic.Uint64
	conn      func(address string) *grpc.ClientConn
	mu        sync.Mutex
	addresses []string          // the first is asked where nobody is known to lead
	leaders   map[string]string // by name
	epoch     uint64
	window    sync.RWMutex // every 256th write waits for all before it: a shard remembers 1,024 answers
}

// NewClient knows some nodes, and hears of others by redirects. `conn` gives the connection to each.
func NewClient(producer string, addresses []string, conn func(address string) *grpc.ClientConn) *Client {
	return &Client{producer: producer, addresses: addresses, conn: conn, leaders: map[string]string{}}
}

// Call makes a call to whoever leads a key or channel. It follows redirects and waits out elections, until ctx
// ends. A write is marked, so that it is done once though it is sent again; what cannot be marked fails InDoubt.
func (c *Client) Call(ctx context.Context, name, method string, request, answer proto.Message) error {
	field := request.ProtoReflect().Descriptor().Fields().ByName("producer")
	if field != nil && method != pb.GroupService_Ack_FullMethodName { // an ack may be repeated without
		mark := &pb.Producer{ProducerId: c.producer, Epoch: 1, Sequence: c.sequence.Add(1)}
		request.ProtoReflect().Set(field, protoreflect.ValueOfMessage(mark.ProtoReflect()))
		turn := []sync.Locker{&c.window, c.window.RLocker()}[min(mark.Sequence%256, 1)]
		turn.Lock()
		defer turn.Unlock()
	}
	for tries := 0; ; tries++ {
		address := c.leaderOf(name)
		try, cancel := context.WithTimeout(ctx, 2*heartbeat)
		err := c.conn(address).Invoke(try, method, request, answer)
		cancel()
		moved, retry := detail[*pb.SlotMoved](err), detail[*errdetails.RetryInfo](err)
		isRefused, isInDoubt := moved != nil || retry != nil, slices.Contains(InDoubt, status.Code(err))
		if isRefused || isInDoubt {
			c.learn(name, moved, address)
		}
		if !isRefused && !(isInDoubt && field != nil) || !rest(ctx, tries, retry.GetRetryDelay()) {
			return err
		}
	}
}

// detail is what a failed call tells of a kind, or nil.
func detail[T any](err error) (found T) {
	for _, each := range status.Convert(err).Details() {
		if detail, ok := each.(T); ok {
			found = detail
		}
	}
	return found
}

// leaderOf is the node that leads a key or channel, or one that will say who does.
func (c *Client) leaderOf(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cmp.Or(c.leaders[name], c.addresses[0])
}

// learn takes note of a redirect, unless it is older than what is known. If it leads nowhere, others are asked.
func (c *Client) learn(name string, moved *pb.SlotMoved, teller string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if leader := moved.GetLeader(); leader == nil {
		delete(c.leaders, name)
		if c.addresses[0] == teller {
			c.addresses = append(c.addresses[1:], teller)
		}
	} else if c.Redirects.Add(1); moved.ConfigEpoch >= c.epoch {
		if len(c.leaders) == 100_000 {
			clear(c.leaders)
		}
		c.epoch, c.leaders[name] = moved.ConfigEpoch, fmt.Sprintf("%s:%d", leader.Host, leader.Port)
	}
}

// rest waits before another try: with full jitter, on top of what the node asks for. False: ctx has ended.
func rest(ctx context.Context, tries int, atLeast *durationpb.Duration) bool {
	jitter := rand.N(min(time.Second, 50*time.Millisecond<<min(tries, 10)))
	resting, cancel := context.WithTimeout(ctx, atLeast.AsDuration()+jitter)
	defer cancel()
	<-resting.Done()
	return ctx.Err() == nil
}

// placed keeps names, of streams or channels, at the nodes that lead them, by one call to each of these.
type placed[Q, R any] struct {
	client       *Client
	method       string
	opening      *Q
	add          func(name string) *Q          // the frame that adds a name; called with the lock held
	take         func(from *call[Q], frame *R) // takes in what comes; as well
	ctx          context.Context
	fail         context.CancelCauseFunc
	mu           sync.Mutex
	calls, homes map[string]*call[Q] // by address, and by name
}

// call is a call to a node.
type call[Q any] struct {
	address string
	ctx     context.Context
	sending sync.Mutex // held until the first frame was sent
	stream  grpc.ClientStream
}

func (c *call[Q]) send(frame *Q) {
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.stream != nil {
		c.stream.SendMsg(frame) // if it fails, the call ends
	}
}

// run goes on until ctx ends, or until an error that trying again does not mend.
func (p *placed[Q, R]) run(ctx context.Context, names []string) error {
	p.ctx, p.fail = context.WithCancelCause(ctx)
	p.calls, p.homes = map[string]*call[Q]{}, map[string]*call[Q]{}
	for _, name := range names {
		go p.place(name, nil)
	}
	<-p.ctx.Done()
	return context.Cause(p.ctx)
}

func (p *placed[Q, R]) place(name string, delay *durationpb.Duration) {
	if !rest(p.ctx, 2, delay) {
		return
	}
	address := p.client.leaderOf(name)
	p.mu.Lock()
	home := p.calls[address]
	if home == nil {
		ctx, hangUp := context.WithCancel(p.ctx)
		home = &call[Q]{address: address, ctx: ctx}
		home.sending.Lock()
		p.calls[address] = home
		go p.talk(home, hangUp)
	}
	p.homes[name] = home
	frame := p.add(name)
	p.mu.Unlock()
	home.send(frame)
}

// ended is for a name that a call has no more: soon it is placed where it moved, or at whoever leads it then.
func (p *placed[Q, R]) ended(from *call[Q], name string, moved *pb.SlotMoved, failure *pb.Error) {
	if failure != nil && failure.RetryDelay == nil {
		p.fail(fmt.Errorf("%s: %s", name, failure.Text))
	} else if p.homes[name] == from {
		p.client.learn(name, moved, from.address)
		delete(p.homes, name)
		go p.place(name, failure.GetRetryDelay())
	}
}

// talk makes a call until it breaks or falls silent. Then its names are placed anew.
func (p *placed[Q, R]) talk(c *call[Q], hangUp context.CancelFunc) {
	watchdog := time.AfterFunc(2*heartbeat, hangUp)
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := p.client.conn(c.address).NewStream(c.ctx, desc, p.method)
	if err == nil {
		c.stream, err = stream, stream.SendMsg(p.opening)
	}
	c.sending.Unlock()
	for frame := new(R); err == nil; frame = new(R) {
		watchdog.Reset(2 * heartbeat)
		if err = stream.RecvMsg(frame); watchdog.Stop() && err == nil {
			p.mu.Lock()
			p.take(c, frame)
			p.mu.Unlock()
		}
	}
	hangUp()
	if !slices.Contains(InDoubt, status.Code(err)) { // io.EOF is Unknown
		p.fail(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.calls, c.address)
	for name := range p.homes {
		p.ended(c, name, nil, nil)
	}
}

// Consume consumes streams of all nodes as one of a group. Each entry is handled in a goroutine of its own, of a
// node at most credit at once; its ack returns 1, or 0 if it was done with before. It goes on until ctx ends.
func (c *Client) Consume(ctx context.Context, keys []string, open *pb.ConsumeOpen, credit uint64,
	handle func(key string, entry *pb.ConsumedEntry, ack func() (uint64, error))) error {
	open.Heartbeat = durationpb.New(heartbeat)
	opening := &pb.ConsumeRequest{Open: open, Credit: &pb.ConsumeCredit{Entries: credit}}
	method := pb.GroupService_Consume_FullMethodName
	p := &placed[pb.ConsumeRequest, pb.ConsumeResponse]{client: c, method: method, opening: opening}
	tokens := map[string][]byte{}
	p.add = func(key string) *pb.ConsumeRequest {
		return &pb.ConsumeRequest{Add: []*pb.ConsumeStream{{Key: []byte(key), ResumeToken: tokens[key]}}}
	}
	var tags atomic.Uint64
	var acks, inHand sync.Map // channels by tag; what is handled
	ack := func(from *call[pb.ConsumeRequest], key, id string) (uint64, error) {
		tag, settled, ids := tags.Add(1), make(chan *pb.ConsumeSettled, 1), []string{id}
		acks.Store(tag, settled)
		defer acks.Delete(tag)
		from.send(&pb.ConsumeRequest{Acks: []*pb.ConsumeAck{{Tag: tag, Key: []byte(key), Ids: ids}}})
		select {
		case outcome := <-settled:
			if count, ok := outcome.Outcome.(*pb.ConsumeSettled_Count); ok {
				return count.Count, nil
			}
		case <-from.ctx.Done():
		}
		// The stream moved, or the call broke: done or not, it may be done again.
		again := &pb.GroupServiceAckRequest{Key: []byte(key), Group: open.Group, Ids: ids}
		answer := &pb.GroupServiceAckResponse{}
		err := c.Call(p.ctx, key, pb.GroupService_Ack_FullMethodName, again, answer)
		return answer.Acknowledged, err
	}
	p.take = func(from *call[pb.ConsumeRequest], frame *pb.ConsumeResponse) {
		for _, batch := range frame.Entries {
			key := string(batch.Key)
			tokens[key] = batch.ResumeToken
			for _, entry := range batch.Entries {
				_, isInHand := inHand.LoadOrStore(key+entry.Entry.Id, true)
				go func() {
					if !isInHand {
						handle(key, entry, func() (uint64, error) { return ack(from, key, entry.Entry.Id) })
						inHand.Delete(key + entry.Entry.Id)
					}
					from.send(&pb.ConsumeRequest{Credit: &pb.ConsumeCredit{Entries: 1}})
				}()
			}
		}
		for _, settled := range frame.Settled {
			if ack, ok := acks.Load(settled.Tag); ok {
				ack.(chan *pb.ConsumeSettled) <- settled
			}
		}
		for _, end := range frame.Ended {
			p.ended(from, string(end.Key), end.GetRedirect().GetMoved(), end.GetError())
		}
	}
	return p.run(ctx, keys)
}

// Subscribe listens to sharded channels of all nodes, until ctx ends. It handles, one at a time, messages, and
// that a subscription started: what came before may have been missed.
func (c *Client) Subscribe(ctx context.Context, channels []string, handle func(*pb.SubscribeEvent)) error {
	opening := &pb.SubscribeRequest{Open: &pb.SubscribeOpen{Heartbeat: durationpb.New(heartbeat)}}
	method, kind := pb.PubSubService_Subscribe_FullMethodName, pb.SubscriptionKind_SUBSCRIPTION_KIND_SHARDED
	p := &placed[pb.SubscribeRequest, pb.SubscribeResponse]{client: c, method: method, opening: opening}
	p.add = func(channel string) *pb.SubscribeRequest {
		changes := []*pb.SubscriptionChange{{Kind: kind, Subscribe: [][]byte{[]byte(channel)}}}
		return &pb.SubscribeRequest{Changes: changes}
	}
	p.take = func(from *call[pb.SubscribeRequest], frame *pb.SubscribeResponse) {
		for _, event := range frame.Events {
			if moved := event.GetMoved(); moved != nil {
				p.ended(from, string(moved.Channel), moved.Moved, nil)
			} else if refused := event.GetRefused(); refused != nil {
				p.ended(from, string(refused.Name), refused.GetRedirect().GetMoved(), refused.GetError())
			} else {
				handle(event)
			}
		}
	}
	return p.run(ctx, channels)
}
