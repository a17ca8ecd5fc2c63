# The web console's targets. Nothing else depends on them, so that all else works without a Node.js registry.
CONSOLE := gateway/console
NPM     := scripts/npm

.PHONY: console console-packages check-console test-console

$(CONSOLE)/node_modules/.installed: $(CONSOLE)/package-lock.json $(VENV)/bin/python
	cd $(CONSOLE) && $(NPM) ci --ignore-scripts --no-fund --no-audit --loglevel=error
	@touch $@

console-packages: $(CONSOLE)/node_modules/.installed

$(CONSOLE)/dist/index.html: $(CONSOLE)/node_modules/.installed $(CONSOLE)/index.html $(CONSOLE)/vite.config.ts \
		$(shell find $(CONSOLE)/src $(CONSOLE)/public -type f)
	cd $(CONSOLE) && $(NPM) run --silent build -- --logLevel warn

console: $(CONSOLE)/dist/index.html ## Builds the web console, which the gateway serves (needs a Node.js registry).

check-console: $(VENV)/.dev $(CONSOLE)/node_modules/.installed ## Checks the console: types, lint, unit tests.
	cd $(CONSOLE) && $(NPM) run --silent check

test-console: $(VENV)/.dev console ## Does the main job in Chromium, opens every page; pictures in out/console.
	$(BIN)/python -m tests.console
