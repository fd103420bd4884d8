.PHONY: help generate verify lint test race bench

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

generate: ## write the generated code anew (ent, gqlgen)
	go generate ./...

verify: ## what is generated is in step, and the code passes its checks; works on a dirty tree too
	@state() { git status --porcelain; git diff HEAD; }; \
	before=$$(state | cksum) && go generate ./... && after=$$(state | cksum) && \
	if [ "$$before" != "$$after" ]; then git status --short; git --no-pager diff HEAD --stat; echo "go generate changed the above: commit it" >&2; exit 1; fi
	@$(MAKE) --no-print-directory lint

lint: ## gofmt, vet, staticcheck and the rules of the house
	@bad=$$(git ls-files '*.go' | xargs gofmt -l) && [ -z "$$bad" ] || { echo "not gofmt'ed:" $$bad >&2; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go test -count=1 ./internal/house

test: ## all tests
	go test ./...

race: ## all tests under the race detector
	go test -race ./...

bench: ## all benchmarks
	go test -run '^$$' -bench . -benchmem ./...
