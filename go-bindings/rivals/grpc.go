package rivals

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// echoMethod is the full name of the one method.
const echoMethod = "/ironhoard.rivals.Echo/Echo"

// patience is how long a host waits for a server that has just been started.
const patience = 5 * time.Second

// echoServer is what the service's handlers are called on.
type echoServer interface {
	Echo(context.Context, *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error)
}

// echo answers with the request's bytes, in a message of their own.
type echo struct{}

func (echo) Echo(_ context.Context, request *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
	return wrapperspb.Bytes(request.GetValue()), nil
}

// echoService is what protoc would generate for: rpc Echo(BytesValue) returns (BytesValue).
var echoService = grpc.ServiceDesc{
	ServiceName: "ironhoard.rivals.Echo",
	HandlerType: (*echoServer)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: handleEcho}},
}

func handleEcho(
	server any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
) (any, error) {
	request := new(wrapperspb.BytesValue)
	if err := decode(request); err != nil {
		return nil, err
	}
	return server.(echoServer).Echo(ctx, request)
}

// ServeGRPC serves the echo at path, a Unix socket, until stop is called.
func ServeGRPC(path string) (stop func(), err error) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer()
	server.RegisterService(&echoService, echo{})
	go server.Serve(listener) //nolint:errcheck // it ends with stop, and says nothing else of use
	return server.Stop, nil
}

// GRPC is a connection to ServeGRPC.
type GRPC struct{ connection *grpc.ClientConn }

// DialGRPC connects, and waits for a first echo.
func DialGRPC(path string) (*GRPC, error) {
	connection, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	g := &GRPC{connection}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := g.echo(ctx, []byte("first"), grpc.WaitForReady(true)); err != nil {
		connection.Close()
		return nil, err
	}
	return g, nil
}

// Echo is one unary call.
func (g *GRPC) Echo(request []byte) ([]byte, error) { return g.echo(context.Background(), request) }

func (g *GRPC) echo(ctx context.Context, request []byte, options ...grpc.CallOption) ([]byte, error) {
	var reply wrapperspb.BytesValue
	err := g.connection.Invoke(ctx, echoMethod, wrapperspb.Bytes(request), &reply, options...)
	return reply.GetValue(), err
}

// Close ends the connection.
func (g *GRPC) Close() error { return g.connection.Close() }
