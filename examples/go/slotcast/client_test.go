// The client beside nodes that do what real ones do seldom: answer INDOUBT, fall silent, tell old news.
package slotcast

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	pb "example.com/slotcast/gen/slotcastv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// node fails calls as it is told to, then does what it is asked.
type node struct {
	address   string
	mu        sync.Mutex
	failures  []error
	appends   []*pb.StreamServiceAppendRequest
	acks      []*pb.GroupServiceAckRequest
	publishes int
	consume   func(grpc.BidiStreamingServer[pb.ConsumeRequest, pb.ConsumeResponse]) error
}

type streams struct {
	pb.UnimplementedStreamServiceServer
	*node
}

type pubsub struct {
	pb.UnimplementedPubSubServiceServer
	*node
}

type groups struct {
	pb.UnimplementedGroupServiceServer
	*node
}

func newNode(t *testing.T) *node {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{address: listener.Addr().String()}
	server := grpc.NewServer()
	pb.RegisterStreamServiceServer(server, streams{node: n})
	pb.RegisterPubSubServiceServer(server, pubsub{node: n})
	pb.RegisterGroupServiceServer(server, groups{node: n})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return n
}

func (n *node) failure() (err error) {
	if len(n.failures) > 0 {
		err, n.failures = n.failures[0], n.failures[1:]
	}
	return err
}

func (n streams) Append(_ context.Context, in *pb.StreamServiceAppendRequest) (*pb.StreamServiceAppendResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.appends = append(n.appends, in)
	return &pb.StreamServiceAppendResponse{Id: "1-1"}, n.failure()
}

func (n pubsub) Publish(context.Context, *pb.PublishRequest) (*pb.PublishResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.publishes++
	return &pb.PublishResponse{Receivers: 3}, n.failure()
}

func (n groups) Ack(_ context.Context, in *pb.GroupServiceAckRequest) (*pb.GroupServiceAckResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.acks = append(n.acks, in)
	return &pb.GroupServiceAckResponse{Acknowledged: 1}, n.failure()
}

func (n groups) Consume(stream grpc.BidiStreamingServer[pb.ConsumeRequest, pb.ConsumeResponse]) error {
	return n.consume(stream)
}

func moved(to *node, epoch uint64) *pb.SlotMoved {
	host, port, _ := net.SplitHostPort(to.address)
	number, _ := strconv.Atoi(port)
	return &pb.SlotMoved{ConfigEpoch: epoch, Leader: &pb.Endpoint{Host: host, Port: uint32(number)}}
}

func redirect(to *node, epoch uint64) error {
	refused, _ := status.New(codes.FailedPrecondition, "MOVED").WithDetails(moved(to, epoch))
	return refused.Err()
}

func newTestClient(t *testing.T, nodes ...*node) (*Client, context.Context) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	conns, addresses := map[string]*grpc.ClientConn{}, []string{}
	for _, n := range nodes {
		conn, err := grpc.NewClient(n.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conns[n.address], addresses = conn, append(addresses, n.address)
	}
	return NewClient("p", addresses, func(address string) *grpc.ClientConn { return conns[address] }), ctx
}

func appendTo(ctx context.Context, c *Client, key string) error {
	request := &pb.StreamServiceAppendRequest{Key: []byte(key)}
	return c.Call(ctx, key, pb.StreamService_Append_FullMethodName, request, &pb.StreamServiceAppendResponse{})
}

func TestAWriteInDoubtIsSentAgainWithItsMark(t *testing.T) {
	n := newNode(t)
	n.failures = []error{status.Error(codes.Unknown, "INDOUBT"), status.Error(codes.Unavailable, "gone")}
	c, ctx := newTestClient(t, n)
	if err := appendTo(ctx, c, "a"); err != nil {
		t.Fatal(err)
	}
	if err := appendTo(ctx, c, "a"); err != nil {
		t.Fatal(err)
	}
	marks := []uint64{}
	for _, request := range n.appends {
		marks = append(marks, request.Producer.Sequence)
	}
	if !slices.Equal(marks, []uint64{1, 1, 1, 2}) {
		t.Fatal(marks)
	}
}

func TestAPublishInDoubtIsNotSentAgain(t *testing.T) {
	n := newNode(t)
	n.failures = []error{redirect(n, 1), status.Error(codes.Unknown, "INDOUBT")}
	c, ctx := newTestClient(t, n)
	request := &pb.PublishRequest{Publication: &pb.Publication{Channel: []byte("c"), Sharded: true}}
	err := c.Call(ctx, "c", pb.PubSubService_Publish_FullMethodName, request, &pb.PublishResponse{})
	if status.Code(err) != codes.Unknown || n.publishes != 2 {
		t.Fatal(err, n.publishes)
	}
}

func TestARedirectOlderThanWhatIsKnownIsIgnored(t *testing.T) {
	one, two := newNode(t), newNode(t)
	one.failures = []error{redirect(two, 7)}
	two.failures = []error{nil, redirect(one, 6)}
	c, ctx := newTestClient(t, one, two)
	for range 2 {
		if err := appendTo(ctx, c, "a"); err != nil {
			t.Fatal(err)
		}
	}
	if len(one.appends) != 1 || len(two.appends) != 3 {
		t.Fatal(len(one.appends), len(two.appends))
	}
}

func TestAWriteWaitsForTheOneTooFarBehind(t *testing.T) {
	n := newNode(t)
	c, ctx := newTestClient(t, n)
	c.window.RLock() // the first is under way
	c.sequence.Store(1)
	for range 254 {
		if err := appendTo(ctx, c, "a"); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 2)
	go func() { done <- appendTo(ctx, c, "a") }()
	for c.window.TryRLock() { // until it waits
		c.window.RUnlock()
	}
	go func() { done <- appendTo(ctx, c, "a") }() // and so do all behind it
	select {
	case err := <-done:
		t.Fatal("it did not wait", err)
	case <-time.After(100 * time.Millisecond):
	}
	c.window.RUnlock()
	for range cap(done) {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// delivers sends an entry.
func delivers(key, id, token string, redelivered bool) *pb.ConsumeResponse {
	entry := &pb.ConsumedEntry{Entry: &pb.StreamEntry{Id: id}, Redelivered: redelivered}
	batch := &pb.ConsumedEntries{Key: []byte(key), Entries: []*pb.ConsumedEntry{entry}, ResumeToken: []byte(token)}
	return &pb.ConsumeResponse{Entries: []*pb.ConsumedEntries{batch}}
}

// A node delivers an entry twice, settles its ack INDOUBT and falls silent. Its stream goes on with the resume token.
func TestAStreamOutlivesASilentNode(t *testing.T) {
	n := newNode(t)
	resumed := make(chan string, 2)
	calls := 0
	n.consume = func(stream grpc.BidiStreamingServer[pb.ConsumeRequest, pb.ConsumeResponse]) error {
		n.mu.Lock()
		calls++
		isFirst := calls == 1
		n.mu.Unlock()
		for {
			in, err := stream.Recv()
			if err != nil {
				return err
			}
			for _, added := range in.Add {
				resumed <- string(added.ResumeToken)
				if isFirst {
					stream.Send(delivers("a", "1-1", "t1", false))
					stream.Send(delivers("a", "1-1", "t2", true))
				}
			}
			for _, ack := range in.Acks {
				inDoubt := &pb.ConsumeSettled_Error{Error: &pb.Error{Code: "INDOUBT"}}
				settled := []*pb.ConsumeSettled{{Tag: ack.Tag, Outcome: inDoubt}}
				stream.Send(&pb.ConsumeResponse{Settled: settled})
			}
		}
	}
	c, ctx := newTestClient(t, n)
	consuming, end := context.WithCancel(ctx)
	settled := make(chan uint64, 2)
	ended := make(chan error, 1)
	handle := func(_ string, _ *pb.ConsumedEntry, ack func() (uint64, error)) {
		time.Sleep(50 * time.Millisecond) // the second delivery comes meanwhile
		count, err := ack()
		if err != nil {
			t.Error(err)
		}
		settled <- count
	}
	go func() { ended <- c.Consume(consuming, []string{"a"}, &pb.ConsumeOpen{Group: []byte("g")}, 8, handle) }()
	if count := <-settled; count != 1 || string(n.acks[0].Group) != "g" {
		t.Fatal(count, n.acks)
	}
	for _, expected := range []string{"", "t2"} {
		select {
		case token := <-resumed:
			if token != expected {
				t.Fatal(token, expected)
			}
		case <-ctx.Done():
			t.Fatal("it was not resumed")
		}
	}
	end()
	if err := <-ended; err != context.Canceled || len(settled) != 0 {
		t.Fatal(err, len(settled))
	}
}
