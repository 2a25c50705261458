// Command hunt is a small service whose players walk the streets of a treasure hunt. The engine, `ironhoard
// serve`, judges every move; the service knows what the answer must be and checks it.
//
//	examples/go/hunt.sh          makes a town, starts the engine, plays, cleans up
//
// It has no map. One player, the scout, asks for every possible street which ones there are: a move along a
// street that does not exist is refused as unknown_edge. Then many players walk at once, each a goroutine,
// all with one shared client. Some lie: a wrong tag, a street that is none, a clock that goes back, a move
// sent twice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/hunt"
)

func main() {
	socket := flag.String("socket", "/tmp/ironhoard.sock", "where the engine is")
	nodes := flag.Uint("nodes", 64, "nodes of the town")
	players := flag.Int("players", 100, "players that walk at once")
	moves := flag.Int("moves", 200, "moves of each player")
	seed := flag.Uint64("seed", 1, "seed of the world's secret, as the engine has it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *socket, uint32(*nodes), *players, *moves, hunt.SecretFromSeed(*seed)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, socket string, nodes uint32, players, moves int, secret hunt.Secret) error {
	client, err := ironhoard.Dial(ctx, socket, ironhoard.WithName("hunt example"))
	if err != nil {
		return err
	}
	defer client.Close()
	scout := hunt.NewSession(client, 0, secret.Key(0))
	town, err := explore(ctx, scout, nodes)
	if err != nil {
		return err
	}
	fmt.Printf("the scout found %d streets between %d nodes, asking %d times\n",
		town.arcs, nodes, scout.Sequence())
	start := time.Now()
	total, err := play(ctx, client, secret, town, players, moves)
	if err != nil {
		return err
	}
	total.show(time.Since(start))
	if stats := client.Stats(); stats.Resumes > 0 {
		fmt.Printf("the engine was replaced %d times meanwhile\n", stats.Resumes)
	}
	if total.wrong > 0 {
		return fmt.Errorf("%d answers were wrong", total.wrong)
	}
	return nil
}

// play lets all players walk at once and adds up what they were told.
func play(ctx context.Context, client *ironhoard.Client, secret hunt.Secret, town *town, players, moves int) (
	*tally, error,
) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	total, errs := newTally(), []error{}
	for id := range players {
		wait.Add(1)
		go func() {
			defer wait.Done()
			number := uint64(id) + 1 // 0 is the scout
			walker := newWalker(client, number, secret.Key(number), town)
			err := walker.walk(ctx, moves)
			mu.Lock()
			defer mu.Unlock()
			total.add(walker.tally)
			if err != nil {
				errs = append(errs, fmt.Errorf("player %d: %w", number, err))
			}
		}()
	}
	wait.Wait()
	return total, errors.Join(errs...)
}
