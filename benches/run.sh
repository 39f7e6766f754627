#!/usr/bin/env bash
# The benchmark: RabbitMQ, PostgreSQL and sinks of its own, the worker and a raw pipeline on the same libraries. A table at the end.
#
#   benches/run.sh [OPTIONS]     see benches/run.sh --help
#   benches/run.sh micro         decode, plan, render, phone numbers, ledger: one by one (criterion)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${1-}" = micro ]; then
    shift
    exec cargo bench --locked --bench micro -- "$@"
fi
exec cargo bench --locked --bench whole_way -- "$@"
