# Verbs for people who work on brokerd. `make` alone lists them.
# Everything runs with Go alone; .ci/run installs whatever else it needs.

FLAGS := -tags grpcnotrace -trimpath -ldflags "-s -w"

.DEFAULT_GOAL := help
.PHONY: help build demo test race fuzz lint prose generate bench interop hostile ci changelog site clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build both programs into bin/, as they are released
	go build $(FLAGS) -o bin/ ./cmd/brokerd ./cmd/brokerctl

demo: ## deliver a file in the sandbox, break access, find the fault, repair it
	go run ./cmd/brokerctl demo

test: ## run all tests but the interop suite; needs no network
	go test ./...

race: ## run the tests under the race detector
	go test -race ./...

fuzz: ## run one fuzz target for a minute: make fuzz PKG=./internal/spool TARGET=FuzzFooter
	go test -run '^$$' -fuzz '^$(TARGET)$$' -fuzztime 1m $(PKG)

lint: ## run golangci-lint as .ci/run does
	go tool -modfile=tools/lint/go.mod golangci-lint run --build-tags interop ./...

prose: ## list the sentences that the prose counter objects to
	go -C tools run ./prose -list

generate: ## regenerate the API's Go code from proto/
	go tool -modfile=tools/go.mod buf generate

bench: ## compare with the SDK and others; takes minutes on an otherwise idle machine
	go run ./bench

interop: ## run the suite against real servers and clients; .ci/run builds them
	go test -tags interop -count=1 -timeout 30m ./test/interop/... ./internal/setup/handover

hostile: ## attack the daemon as other users, all attacks; needs root
	BROKERD_HOSTILE=all go test -count=1 -timeout 30m -v ./test/hostile

ci: ## run everything that must hold before a change lands
	.ci/run

changelog: ## move the fragments of changes/ into CHANGELOG.md
	tools/changelog.sh

site: ## check the links of the documentation and build it as a site in dist/site
	go -C tools run ./site

clean: ## remove what these verbs built
	rm -rf bin dist
