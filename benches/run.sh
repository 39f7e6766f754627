#!/usr/bin/env bash
# The benchmark: RabbitMQ, PostgreSQL and sinks of its own, the worker and a raw pipeline on the same libraries. A table at the end.
#
#   benches/run.sh [OPTIONS]     see benches/run.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo bench --locked --bench whole_way -- "$@"
