# Two commands matter: make run, make test. Both need Go and make; what else they use, Go fetches.

GO ?= go
TOOL = $(GO) tool -modfile=.ci/tools/go.mod
HAVE_CC := $(shell command -v $$($(GO) env CC) 2>/dev/null)
HAVE_NODE := $(shell command -v node 2>/dev/null)
# What is done where something is missing: said, and in CI an error.
WITHOUT = echo $(1)$(if $(filter true,$(CI)),": in CI nothing is left out"; exit 1)
# What runs in a browser. The native syncer and the drivers are left out by their build tags.
DEVICE = ./crdt/... ./ranking/... ./replica/...
WASM_TESTS = ./crdt/... ./ranking/... ./replica/importer
# Values in, values out: no goroutine but in the tests named …AtOnce, and a test says so (TestWhatIsRaced). What these rooms
# share in memory (pools, notes on changes) races in the rooms above, which share it for real.
VALUES = ./crdt/... ./ranking/... ./replica/importer ./server/intake ./clients/qr ./clients/sim/gen

.PHONY: run build test check still format vet staticcheck deadcode modules builds suite race wasm screens phone-core phone app app-same test-phone bench-phone npm fuzz bench bench-engine bench-ranking bench-system bench-durability clean

# A company's day on this machine; then the server stays up. On your own data:
# make run ORDERS=file.csv CONTACTS=file.vcf [COLUMNS=customer=…,date=…,amount=…] [CODE=+34]
run: build
	bin/trio demo $(if $(ORDERS),--orders "$(ORDERS)") $(if $(CONTACTS),--contacts "$(CONTACTS)") $(if $(COLUMNS),--columns "$(COLUMNS)") $(if $(CODE),--code "$(CODE)") $(ARGS)

build:
	$(GO) build -o bin/trio ./server/cmd/trio

# Everything that CI runs.
test: check

check:
	@$(MAKE) --no-print-directory -j2 still
	@$(MAKE) --no-print-directory suite race
	@$(MAKE) --no-print-directory -j2 wasm fuzz
	@$(MAKE) --no-print-directory screens

# What is found without running anything.
still: format vet staticcheck deadcode modules builds

format:
	@out=$$($(TOOL) gofumpt -l .); if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...

staticcheck:
	$(TOOL) staticcheck ./...

modules:
	$(GO) mod verify

deadcode:
	@out=$$($(TOOL) deadcode -test ./...); if [ -n "$$out" ]; then echo "$$out"; exit 1; fi

# What devices run must build wherever devices are.
builds:
	GOOS=js GOARCH=wasm $(GO) build $(DEVICE)
	GOOS=js GOARCH=wasm $(GO) build -o /dev/null ./clients/phone/core
	CGO_ENABLED=0 GOOS=windows $(GO) build ./... 
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 $(GO) build ./...

# npm's automerge and automerge-repo, which the tests hold ours against, and a reader of QR codes; installed anew when their lock files are newer.
NPM_STAMPS = crdt/automerge/js/node_modules/.stamp server/repo/js/node_modules/.stamp clients/qr/js/node_modules/.stamp

npm: $(if $(HAVE_NODE),$(NPM_STAMPS))
	$(if $(HAVE_NODE),,@$(call WITHOUT,"no Node.js: tests run without npm's packages"))

%/node_modules/.stamp: %/package-lock.json
	@cd $(<D) && if npm ci --ignore-scripts --no-audit --no-fund; then touch node_modules/.stamp; \
	else $(call WITHOUT,"npm's packages of $(<D) are not installed: tests run without them"); fi

# Every test in full.
suite: npm
	$(if $(HAVE_CC),,@echo "no C compiler: tests run without the reference engine")
	$(GO) test -vet=off -timeout 15m ./...

# All that has goroutines once more under the race detector, in fewer rounds (-short): it takes three to ten times as long, and what it
# looks for shows in the first rounds or by another seed another day. A program under it sleeps a second when it ends, and tests start
# many: a tenth is enough for a report that is being written.
race: npm
ifdef HAVE_CC
	GORACE=atexit_sleep_ms=100 $(GO) test -race -short -vet=off -timeout 15m $$($(GO) list ./... | grep -vxF "$$($(GO) list $(VALUES))")
	$(GO) test -race -vet=off -run 'AtOnce$$' $(VALUES)
else
	@echo "no C compiler: no test runs under the race detector"
endif

# The same suites as a browser runs them, over the same golden files; the replica's on SQLite WASM, and what calls it stripped as
# the core is. Where npm could not install
# that, the replica's is built only.
PHONE_STAMP = clients/phone/node_modules/.stamp
NODE_EXEC = node --stack-size=8192 $(CURDIR)/clients/phone/node/exec.mjs

wasm: $(if $(HAVE_NODE),$(PHONE_STAMP))
ifdef HAVE_NODE
	@if [ -d clients/phone/node_modules/@sqlite.org ]; then \
		GOOS=js GOARCH=wasm $(GO) test -short -exec "$(NODE_EXEC)" ./replica ./replica/sql && \
		STRIPPED=1 GOOS=js GOARCH=wasm $(GO) test -short -exec "$(NODE_EXEC)" ./replica/device ./clients/phone/core; \
	else $(call WITHOUT,"no SQLite WASM from npm: the replica's suite is built for js/wasm and not run"); fi
	GOOS=js GOARCH=wasm $(GO) test -short -exec "$$($(GO) env GOROOT)/lib/wasm/go_js_wasm_exec" $(WASM_TESTS)
else
	@$(call WITHOUT,"no Node.js: the js/wasm suites are built and not run")
	GOOS=js GOARCH=wasm $(GO) vet $(WASM_TESTS)
endif

# The core of the phone as a browser loads it, and its size part by part. It fails above the budget.
phone-core:
	$(if $(HAVE_NODE),node clients/phone/core/build.mjs bin/core.packed,@echo "no Node.js: the core is not built")

# The app of phones in clients/phone/dist, which trio serve --app and trio demo --app serve under /app/.
phone: $(PHONE_STAMP)
	node clients/phone/core/build.mjs bin/core.packed quick
	cd clients/phone && npm run --silent build

# The app as the server's program carries it, in clients/phone/app; it is committed, so that go build is enough for the rest.
app: phone
	node clients/phone/pack.mjs clients/phone/dist clients/phone/app

# Whether what is committed is what its source makes.
app-same: phone
	node clients/phone/pack.mjs clients/phone/dist clients/phone/app check

# The app in a real browser against a real server: every test of clients/phone/test, or those of PLAY. Two at once, as they mostly wait.
PHONE_TEST_STAMP = clients/phone/test/node_modules/.stamp
PEOPLE = 700
PLAY = $(filter-out lib,$(basename $(notdir $(wildcard clients/phone/test/*.mjs))))

screens: $(if $(HAVE_NODE),app-same test-phone)
	$(if $(HAVE_NODE),,@$(call WITHOUT,"no Node.js: the app of phones is not played in a browser"))

test-phone: build phone $(PHONE_TEST_STAMP)
	@cd clients/phone/test && printf '%s\n' $(PLAY) | xargs -P 2 -I{} sh -c \
		'bad=0; said=$$(node {}.mjs $(CURDIR)/bin/trio ../dist $(PEOPLE) 2>&1) || bad=255; printf "%s\n%s\n" {} "$$said"; exit $$bad'

# What the app takes in a real browser, beside what it may take: with 5,000 contacts, or PEOPLE; RUNS=9 for more of each, ONLY=reload
# for a part. The app is the one that the program carries, packed. As root the browser is capped by a cgroup too.
bench-phone: app $(PHONE_TEST_STAMP)
	@$(MAKE) --no-print-directory build
	@cd clients/phone/test && node bench/bench.mjs $(CURDIR)/bin/trio - $(if $(filter file,$(origin PEOPLE)),5000,$(PEOPLE))

# Every decoder, with bytes that grow out of its corpus (testdata/fuzz): a little each time, FUZZ=10m when one was changed.
# A room's tests are built once for all of its decoders.
FUZZ = 500x

fuzz:
	@mkdir -p bin; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
		$(GO) test -vet=off -c -fuzz . -o bin/fuzz.test $$dir || exit 1; \
		grown=$$($(GO) env GOCACHE)/fuzz/$$($(GO) list $$dir); \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$dir/*_test.go); do \
			(cd $$dir && "$(CURDIR)/bin/fuzz.test" -test.run '^$$' -test.fuzz "^$$name\$$" -test.fuzztime $(FUZZ) \
				-test.fuzzcachedir "$$grown") >bin/fuzz.log 2>&1 || { cat bin/fuzz.log; exit 1; }; \
			echo "fuzz $$dir $$name"; \
		done; \
	done; rm -f bin/fuzz.test bin/fuzz.log

# Ours beside automerge-go, and the server's time for a pushed change; one run, one machine.
bench:
	$(GO) test -run '^$$' -bench 'Apply|Save|Load|Sync' -benchmem ./crdt/automerge
	$(GO) test -run '^$$' -bench 'Bundle|Push|Pull' -benchmem ./crdt/wire
	$(GO) test -run '^$$' -bench 'Push' -benchtime 20000x ./server/hub
	$(GO) test -run '^$$' -bench 'Relay' -benchtime 10000x ./server/hub
	$(GO) test -run '^$$' -bench 'FirstPull' -benchtime 20x ./server/hub
	$(GO) test -run '^$$' -bench 'Idle' -benchtime 2x ./server/hub
	$(GO) test -run '^$$' -bench 'Year' -benchtime 1x ./server/store
	$(GO) test -run '^$$' -bench 'Append' -benchtime 20000x ./server/store
	$(GO) test -run '^$$' -bench 'Live' -benchtime 1000x ./clients/sim
	$(GO) test -run '^$$' -bench 'Rank|Goals' -benchmem ./ranking
	$(GO) test -run '^$$' -bench . ./replica

# The engine beside automerge-go, and npm's where Node.js and its packages are: apply, save, load, one edit, memory; one run,
# one table, in three to six minutes.
bench-engine: npm
	$(if $(HAVE_CC),,@echo "no C compiler: ours without automerge-go")
	$(GO) test -count=1 -run '^TestEngineTable$$' -timeout 10m -v ./crdt/automerge -engines

# The whole system on this machine: a server process, thousands of devices, the table of what must hold.
bench-system: build
	bin/trio bench $(ARGS)

# Servers killed, power cut, older backups restored: what was acknowledged and checked, what was lost, and what is lost without
# what prevents it; one table, in two minutes. ext4's part takes root, loop devices and mkfs.ext4.
bench-durability:
	$(GO) test -count=1 -run '^TestDurability$$' -timeout 15m -v ./server/cmd/trio -durability

# The ranker on public data and in a simulator with known truth: fits on TRAIN and measures on TEST, folders with
# <name>/*.csv; without TEST on ids of TRAIN that are not fitted on. One table, each line with its target. ONLY=orders,
# bank, mails, simulator, gate or machine does that part.
TRAIN = ../shared/data
TEST =
ONLY =

bench-ranking:
	$(if $(wildcard $(TRAIN)),,@echo "no data in $(TRAIN): skipped; TRAIN=folder says where it is")
	$(if $(wildcard $(TRAIN)),$(GO) test -count=1 -run '^TestRankingTable$$' -timeout 30m -v ./server/fit \
		-args -train "$(abspath $(TRAIN))" $(if $(TEST),-test "$(abspath $(TEST))") $(if $(ONLY),-only "$(ONLY)"))

clean:
	rm -rf bin data
