#!/usr/bin/env bash
# The benchmark of the whole way, on a RabbitMQ of its own: benches/run.sh [--events N] [--rounds N] [--json]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo bench --locked --bench whole_way -- "$@"
