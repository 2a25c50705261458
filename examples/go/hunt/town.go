package main

import (
	"context"
	"fmt"

	"github.com/ironhoard/ironhoard/go-bindings/hunt"
)

// town is what the scout knows: which nodes can be reached from which.
type town struct {
	next [][]uint32
	arcs int
}

// explore asks for each pair of nodes whether a street leads from one to the other. The scout says that it
// stands at the street's beginning, minutes after its last move: no distance in a town is too far for that.
func explore(ctx context.Context, scout *hunt.Session, nodes uint32) (*town, error) {
	found := &town{next: make([][]uint32, nodes)}
	for from := range nodes {
		for to := range nodes {
			reply, err := scout.Step(ctx, scout.Sequence()*pause, from, to, 0)
			if err != nil {
				return nil, err
			}
			switch reply.Code {
			case hunt.Accepted:
				found.next[from] = append(found.next[from], to)
				found.arcs++
			case hunt.UnknownEdge:
			default:
				return nil, fmt.Errorf("the scout was told %v about %d to %d; is this the world's secret?",
					reply.Code, from, to)
			}
		}
	}
	if found.arcs == 0 {
		return nil, fmt.Errorf("a town of %d nodes without a street; is its map the one that is served?", nodes)
	}
	return found, nil
}
