package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/bench/corpus"
	"github.com/vectorlink/vectorlink/bench/cputime"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
)

func domainName(i int) string { return fmt.Sprintf("bench/d%d", i) }

// manyDomains measures a start with many domains of one commit, and what a push
// into one of them opens.
func (b *bench) manyDomains(ctx context.Context, dir string) error {
	s, err := open(dir, 0)
	if err != nil {
		return err
	}
	err = s.fill(ctx, b.domains, nil, func(i int) []contract.Op {
		return []contract.Op{upsert(1, corpus.New(uint64(i)).Text(words))}
	})
	if err := errors.Join(err, s.close()); err != nil {
		return err
	}

	var cpus, walls []time.Duration
	var opened []string
	for i := range b.rounds {
		cpu, wall := cputime.Process(), time.Now()
		if s, err = open(dir, 0); err != nil {
			return err
		}
		cpus, walls = append(cpus, cputime.Process()-cpu), append(walls, time.Since(wall))
		s.merge()
		s.files.opened()
		err = s.push(ctx, indexer.PushRequest{Domain: domainName(i * b.domains / b.rounds), Commit: commitName(1)}, upsert(2, "another document"))
		opened = append(opened, s.files.opened()...)
		if err := errors.Join(err, s.close()); err != nil {
			return err
		}
	}
	cpu := median(cpus)
	b.hold(cpu <= 2*time.Second, "≤ 2 s", fmt.Sprintf("%d domains of one commit: CPU of a start (wall)", b.domains), "%s (%s)", ms(cpu), ms(median(walls)))
	b.hold(len(opened) <= b.rounds, "≤ 1", fmt.Sprintf("%d domains of one commit: files of vectors that a push opens", b.domains), "%.1f", float64(len(opened))/float64(b.rounds))
	return nil
}

// fill makes a first commit in so many domains, of the operations of each.
func (s *store) fill(ctx context.Context, domains int, settings *indexer.PushRequest, ops func(i int) []contract.Op) error {
	return atOnce(domains, 4, func(i int) error {
		req := indexer.PushRequest{}
		if settings != nil {
			req = *settings
		}
		req.Domain, req.Commit = domainName(i), commitName(0)
		return s.push(ctx, req, ops(i)...)
	})
}

// atOnce calls f for the numbers below n, so many at once. A worker ends with
// its first error.
func atOnce(n, workers int, f func(i int) error) error {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		errs = make([]error, workers)
	)
	for w := range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil; i = int(next.Add(1)) - 1 {
				errs[w] = f(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
