package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/bench/cputime"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
)

// pairSet is a set, or two, of which the pairs that are the same are known.
type pairSet struct {
	name  string
	docs  map[string]string // by ids, A/… and of the second set B/…
	two   bool
	truth map[[2]string]bool
}

// duplicates measures pairs by likeness at the default settings, and by the least
// score.
func duplicates(ctx context.Context, b *bench) error {
	fmt.Println("| set | pairs | default: precision | recall | F1 | CPU | F1 at .2 | .3 | .4 | .5 | .6 | .7 |")
	fmt.Println("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, read := range []func() (pairSet, error){
		func() (pairSet, error) { return b.febrl("er-febrl3") },
		func() (pairSet, error) { return b.febrl("er-febrl4") },
		func() (pairSet, error) { return catalogue(1, 50_000), nil },
		func() (pairSet, error) { return catalogue(2, 5_000), nil },
		func() (pairSet, error) { return catalogue(3, 5_000), nil },
	} {
		set, err := read()
		if err != nil {
			fmt.Printf("| not there: %v |\n", err)
			continue
		}
		domain := "bench/" + strings.ReplaceAll(set.name, " ", "-")
		if err := b.index(ctx, domain, "en", set.docs); err != nil {
			return err
		}
		if _, _, _, err := b.pairs(ctx, domain, set, -1); err != nil { // opens what is to be opened
			return err
		}
		cpu := cputime.Process()
		precision, recall, f1, err := b.pairs(ctx, domain, set, -1)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d | %.3f | %.3f | %.3f | %.1f s |", set.name, len(set.truth), precision, recall, f1, (cputime.Process() - cpu).Seconds())
		for least := 2; least <= 7; least++ {
			if len(set.docs) > 20_000 {
				fmt.Print(" |")
				continue
			}
			_, _, f1, err = b.pairs(ctx, domain, set, float32(least)/10)
			if errors.Is(err, contract.ErrInvalid) { // everything is one group
				fmt.Print(" – |")
				continue
			}
			if err != nil {
				return err
			}
			fmt.Printf(" %.3f |", f1)
		}
		fmt.Println()
	}
	return nil
}

// pairs returns how good the pairs are that are found with that least score.
func (b *bench) pairs(ctx context.Context, domain string, set pairSet, least float32) (precision, recall, f1 float64, err error) {
	found, right := 0, 0
	count := func(x, y string) {
		found++
		if set.truth[[2]string{min(x, y), max(x, y)}] {
			right++
		}
	}
	ref, by := search.Ref{Commit: commit}, pairs.Pairing{Likeness: pairs.LikenessMixed, MinScore: least}
	if set.two {
		var c pairs.Candidates
		c, err = pairs.New(b.ix.Reader).Candidates(ctx, pairs.CandidatesRequest{
			Domain: domain, Ref: ref, SetThreshold: -1, TargetThreshold: -1, K: 1, Pairing: by,
			Set: search.Filter{Types: []string{"A"}}, Target: search.Filter{Types: []string{"B"}},
		})
		for _, l := range c.SetToTarget {
			for _, p := range l.Partners {
				count(l.ID, p.ID)
			}
		}
	} else {
		err = pairs.New(b.ix.Reader).NearPairs(ctx, pairs.DuplicatesRequest{Domain: domain, Ref: ref, Threshold: -1, Pairing: by}, func(all *pairs.NearPairs) error {
			for p, err := range all.Pairs {
				if err != nil {
					return err
				}
				count(p.A.ID, p.B.ID)
			}
			return nil
		})
	}
	return float64(right) / float64(max(found, 1)), float64(right) / float64(len(set.truth)), 2 * float64(right) / float64(found+len(set.truth)), err
}

// febrl reads a set of people with mistakes, each as the values of its fields.
func (b *bench) febrl(name string) (pairSet, error) {
	var file struct {
		A, B map[string]map[string]string
		GT   [][2]string
	}
	set := pairSet{name: strings.TrimPrefix(name, "er-"), docs: map[string]string{}, truth: map[[2]string]bool{}}
	if err := b.read(name, &file); err != nil {
		return set, err
	}
	set.two = len(file.B) > 0
	second := "A/"
	if set.two {
		second = "B/"
	}
	for prefix, side := range map[string]map[string]map[string]string{"A/": file.A, "B/": file.B} {
		for id, record := range side {
			var parts []string
			for _, field := range slices.Sorted(maps.Keys(record)) {
				parts = append(parts, record[field])
			}
			set.docs[prefix+id] = strings.Join(parts, " ")
		}
	}
	for _, pair := range file.GT {
		x, y := "A/"+pair[0], second+pair[1]
		set.truth[[2]string{min(x, y), max(x, y)}] = true
	}
	return set, nil
}

// catalogue makes n products and people, of which 2 % are copied (as they are, in
// another case, with misspellings, in another order and form, in part) and 2 % have a
// look-alike with another code, date or number.
func catalogue(seed uint64, n int) pairSet {
	rng := rand.New(rand.NewPCG(seed, 7))
	set := pairSet{name: fmt.Sprintf("catalogue %d of %d", seed, n), docs: map[string]string{}, truth: map[[2]string]bool{}}
	pick := func(words []string) string { return words[rng.IntN(len(words))] }
	names := make([]string, 3000)
	for i := range names {
		for range 2 + rng.IntN(2) {
			names[i] += string("bcdfghjklmnprstvwz"[rng.IntN(18)]) + string("aeiou"[rng.IntN(5)]) + pick([]string{"", "", "n", "r", "l"})
		}
		names[i] = strings.ToUpper(names[i][:1]) + names[i][1:]
	}
	nouns := strings.Fields("drill saw sander lamp kettle toaster blender monitor keyboard speaker camera tent stove chair shelf clock printer router charger heater pump filter ladder")
	adjectives := strings.Fields("cordless compact portable professional wireless foldable waterproof stainless adjustable digital smart classic premium industrial silent")
	features := strings.Split("with two batteries;with carrying case;for indoor use;including charger;two year warranty;dishwasher safe;energy class A;remote control included;soft grip handle;easy to clean;tool-free assembly", ";")
	letter := func() string { return string("ABCDEFGHJKLMNPRSTUVWXYZ"[rng.IntN(23)]) }
	code := func() string { return letter() + fmt.Sprint(1000+rng.IntN(9000)) + letter() }
	type record struct {
		parts []string
		day   [3]int // of a person
	}
	date := func(d [3]int) string { return fmt.Sprintf("%04d-%02d-%02d", d[0], d[1], d[2]) }
	day := func() [3]int { return [3]int{1930 + rng.IntN(75), 1 + rng.IntN(12), 1 + rng.IntN(28)} }
	make1 := func() record {
		if rng.IntN(2) == 0 {
			d := day()
			return record{[]string{pick(names[:600]) + " " + pick(names), date(d), fmt.Sprintf("%d %s Street", 1+rng.IntN(200), pick(names)),
				fmt.Sprintf("%05d %s", 10000+rng.IntN(89999), pick(names[:400])), fmt.Sprintf("0%d %d", 20+rng.IntN(900), 100000+rng.IntN(9000000))}, d}
		}
		r := record{parts: []string{pick(names[:80]) + " " + pick(adjectives) + " " + pick(nouns), code(), pick(strings.Fields("red blue black white green grey silver")),
			fmt.Sprintf("%d W", 100*(1+rng.IntN(30))), fmt.Sprintf("%d.%02d EUR", 5+rng.IntN(900), rng.IntN(100))}}
		for range 1 + rng.IntN(3) {
			r.parts = append(r.parts, pick(features))
		}
		return r
	}
	copies := n / 50
	records := make([]record, n-2*copies)
	for i := range records {
		records[i] = make1()
		set.docs[fmt.Sprint("A/", i)] = strings.Join(records[i].parts, ", ")
	}
	for i, of := range rng.Perm(len(records))[:2*copies] {
		r := records[of]
		parts, person := slices.Clone(r.parts), r.day[0] > 0
		if i >= copies { // a look-alike
			switch at := rng.IntN(2); {
			case person && at == 0:
				parts[1] = date(day())
			case person:
				parts[4] = fmt.Sprintf("0%d %d", 20+rng.IntN(900), 100000+rng.IntN(9000000))
			case at == 0:
				parts[1] = code()
			default:
				parts[3] = fmt.Sprintf("%d W", 3100+rng.IntN(900))
			}
			set.docs[fmt.Sprint("A/look-", i)] = strings.Join(parts, ", ")
			continue
		}
		text := strings.Join(parts, ", ")
		switch i % 5 {
		case 1:
			text = strings.ToUpper(text)
		case 2:
			words := strings.Fields(text)
			for range 3 {
				if w := rng.IntN(len(words)); len(words[w]) > 3 && !strings.ContainsAny(words[w], "0123456789") {
					at := 1 + rng.IntN(len(words[w])-2)
					words[w] = words[w][:at] + words[w][at+1:]
				}
			}
			text = strings.Join(words, " ")
		case 3:
			if person {
				parts[1] = fmt.Sprintf("%02d.%02d.%d", r.day[2], r.day[1], r.day[0])
				parts[4] = strings.Replace(parts[4], " ", "/", 1)
			}
			slices.Reverse(parts)
			text = strings.Join(parts, " | ")
		case 4:
			text = strings.Join(parts[:len(parts)-1], ", ")
		}
		x, y := fmt.Sprint("A/", of), fmt.Sprint("A/copy-", i)
		set.docs[y], set.truth[[2]string{x, y}] = text, true
	}
	return set
}
