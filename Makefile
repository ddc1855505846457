# make build   builds netlabd, netlabctl and the tests
# make demo    makes a lab on a private test host, pings through it and deletes it
# make test    everything that must hold: format, lints, unit tests, end to end tests on real kernels
# make fuzz    fuzzes what is read from others, FUZZ_SECONDS=600 by default
# make soak    random work, damage and kills on many labs for SOAK_SECONDS=300 by default; prints a table
# make outcome PAIRS=100 pairs of random labs, each of which must come to the same by every way, on this kernel
# make faults  the tests of faults, each kind of damage REPEAT=8 times, and random work for SOAK_SECONDS=300; writes the
#              run into docs/faults.md (about 20 minutes)
# make abuse   the tests of abuse on this kernel, and the table of docs/abuse.md
# make classroom 20 members' labs try all at once while others work, under User-mode Linux; the figures of docs/abuse.md
# make fidelity how near impairments come to what is asked for, on the tests' kernel in simulated time (ten
#              minutes); writes the tables of docs/impairments.md
# make kinds   what each kind of interface is in the kernel; writes docs/kinds.md
# make bench   measures against the kernel's floor and other tools; writes docs/benchmarks.md. ROUNDS=3; with
#              PARTS="chain:200 exec" only these, into target/bench (a wrong part makes it name all)
# make test-vm the packages on booted Debian 12 machines, under User-mode Linux and Debian's own kernel
# make test-go the Go example of docs/api.md, with Debian's Go
# make bless-api promises the API as it is now: what is in it stays from then on
# make deb     Debian packages, in target/deb
# make dist    a release for other systems, with a static netlabctl and checksums, in target/dist
# make install, make uninstall   below PREFIX (/usr/local) and DESTDIR, of what `make dist` made
# make lint    format and lints; licences and sources of the dependencies where cargo-deny is installed
#
# Each installs what it needs from Debian's packages (tests/setup), by sudo where you are not root.

TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: build demo test fuzz soak outcome faults abuse classroom fidelity kinds test-vm test-go bench bench-elsewhere deb lint bless-api setup

build: setup
	cargo build --workspace

demo: build
	tests/demo

# The kernel and the image for the tests are made beside cargo's work; the tests wait for them. Booted machines wait for
# timers much of the time, and run beside the other tests.
test: setup
	mkdir -p $(TARGET)
	tests/uml/kernel >$(TARGET)/uml-kernel.log 2>&1 </dev/null &
	tests/python/environment >$(TARGET)/python.log
	tests/as-root tests/vm/image >$(TARGET)/vm-image.log 2>&1 </dev/null &
	$(MAKE) lint
	PROPTEST_RNG_SEED=1 cargo test --workspace --quiet
	FUZZ_SEED=1 fuzz/run 20
	cargo build --workspace --all-targets
	tests/as-root tests/vm/test -b $(TARGET)/debug -g uml >$(TARGET)/vm.log 2>&1 </dev/null & vm=$$!; \
		tests/as-root $(TARGET)/debug/netlab-tests; tests=$$?; \
		wait $$vm; vm=$$?; cat $(TARGET)/vm.log; [ $$tests = 0 ] && [ $$vm = 0 ]

fuzz: setup
	fuzz/run $(or $(FUZZ_SECONDS),600)

soak: build
	tests/as-root $(TARGET)/debug/netlab-tests --soak $(or $(SOAK_SECONDS),300)

outcome: build
	tests/as-root env NETLAB_PAIRS=$(or $(PAIRS),100) NETLAB_LIMIT=86400 NETLAB_SHOW=1 $(TARGET)/debug/netlab-tests --ground native outcome::

faults: build
	cargo test --quiet -p netlabd --lib reconcile::tests::faults -- --nocapture >$(TARGET)/faults-in-memory.log 2>&1 || \
		{ cat $(TARGET)/faults-in-memory.log; false; }
	cp docs/faults.md $(TARGET)/faults.md
	tests/as-root tests/fault-table $(TARGET)/debug/netlab-tests $(or $(SOAK_SECONDS),300) $(TARGET)/faults.md \
		$(or $(REPEAT),8) $(TARGET)/faults-in-memory.log
	cp $(TARGET)/faults.md docs/faults.md

abuse: build
	tests/as-root env NETLAB_SHOW=1 $(TARGET)/debug/netlab-tests --ground native \
		abuse:: unruly:: bounds::a_fork_bomb nodes::processes_end_with_the_lab >$(TARGET)/abuse.log || \
		{ cat $(TARGET)/abuse.log; false; }
	grep '^| ' $(TARGET)/abuse.log

classroom: build
	tests/as-root env NETLAB_SHOW=1 $(TARGET)/debug/netlab-tests --ground uml classroom:: >$(TARGET)/classroom.log || \
		{ cat $(TARGET)/classroom.log; false; }
	grep '^| \|^[0-9]* labs: ' $(TARGET)/classroom.log

fidelity: build
	mkdir -p $(TARGET)/fidelity
	NETLAB_FIDELITY=simulated NETLAB_LIMIT=86400 NETLAB_SHOW=1 tests/uml/run -k "$$(tests/uml/kernel)" -t 3600 \
		-a time-travel=inf-cpu -w $(TARGET)/fidelity -- $(abspath $(TARGET))/debug/netlab-tests --here uml --part 0/1 \
		--report $(abspath $(TARGET))/fidelity/report fidelity:: >$(TARGET)/fidelity.log || \
		{ cat $(TARGET)/fidelity.log; false; }
	{ sed '/^## /,$$d' docs/impairments.md; sed -n 's/^doc: \{0,1\}//p' $(TARGET)/fidelity.log | sed 1d; } >$(TARGET)/fidelity.md
	cp $(TARGET)/fidelity.md docs/impairments.md

kinds: build
	NETLAB_SHOW=1 tests/as-root $(TARGET)/debug/netlab-tests --ground uml shown:: >$(TARGET)/kinds.log || \
		{ cat $(TARGET)/kinds.log; false; }
	{ sed '/^## /,$$d' docs/kinds.md; sed -n 's/^doc: \{0,1\}//p' $(TARGET)/kinds.log; } >$(TARGET)/kinds.md
	cp $(TARGET)/kinds.md docs/kinds.md

bench: setup
	dpkg-query -W mininet python3-venv >/dev/null 2>&1 || \
		tests/as-root apt-get -q install -y --no-install-recommends mininet python3-venv
	[ -x $(TARGET)/bench-python/bin/python ] || /usr/bin/python3 -m venv $(TARGET)/bench-python
	$(TARGET)/bench-python/bin/pip -q install pyroute2==0.9.7
	cargo build --release -p netlabd -p netlabctl -p netlab-load
	for program in floor sender; do gcc -O2 -Wall -Wextra -o $(TARGET)/$$program tests/bench/$$program.c || exit; done
	$(if $(PARTS),,$(MAKE) bench-elsewhere)
	tests/as-root tests/bench/bench $(if $(PARTS),,--elsewhere $(TARGET)/bench/elsewhere.json) \
		$(TARGET)/release $(TARGET)/floor $(TARGET)/sender $(TARGET)/bench-python/bin/python \
		$(if $(PARTS),$(TARGET)/bench,docs) $(or $(ROUNDS),3) $(PARTS)

# What this kernel may lack is measured under Debian's own, in a booted machine.
bench-elsewhere:
	tests/setup qemu-system-x86 busybox-static kmod
	tests/bench/elsewhere $(TARGET)/release $(TARGET)/floor $(TARGET)/bench $(or $(ROUNDS),3)

test-vm: setup
	tests/setup qemu-system-x86 busybox-static kmod lintian
	cargo build -p netlabd -p netlabctl
	tests/as-root tests/vm/test -b $(TARGET)/debug
	packaging/build-deb -b $(TARGET)/debug $(TARGET)/vm/deb
	packaging/check-deb $(TARGET)/vm/deb/*.deb

# Paths of this machine in the programs would make each build of the same sources another one.
REMAP := --remap-path-prefix=$(CURDIR)=. --remap-path-prefix=$(HOME)/.cargo=cargo
STATIC := x86_64-unknown-linux-gnu

deb: setup
	RUSTFLAGS="$(REMAP)" cargo build --release -p netlabd -p netlabctl
	packaging/build-deb -b $(TARGET)/release $(TARGET)/deb
	packaging/check-deb $(TARGET)/deb/*.deb

# What is in the API now is promised from now on: clients of this release rely on it.
bless-api: setup
	cargo test --quiet --package netlab-proto
	rm -rf proto/baseline
	mkdir -p proto/baseline
	cp -r proto/netlab proto/baseline/
	sed -n 's/^pub const REVISION: u32 = \([0-9]*\);/\1/p' proto/src/lib.rs >proto/baseline/REVISION

test-go: build
	tests/setup golang-go golang-google-grpc-dev golang-google-protobuf-dev golang-github-golang-protobuf-1-5-dev \
		protobuf-compiler protoc-gen-go protoc-gen-go-grpc
	tests/as-root tests/go/test $(TARGET)

dist: setup
	RUSTFLAGS="$(REMAP)" cargo build --release -p netlabd -p netlabctl
	RUSTFLAGS="$(REMAP) -C target-feature=+crt-static" cargo build --release --target $(STATIC) -p netlabctl
	packaging/dist -b $(TARGET)/release -s $(TARGET)/$(STATIC)/release/netlabctl $(TARGET)/dist

install uninstall:
	rm -rf $(TARGET)/dist/tree && mkdir -p $(TARGET)/dist/tree
	tar xzf $(TARGET)/dist/netlab-*.tar.gz -C $(TARGET)/dist/tree --strip-components=1
	PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" $(TARGET)/dist/tree/install $@

lint: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; fi

setup:
	tests/setup
