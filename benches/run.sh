#!/usr/bin/env bash
# The benchmarks: RabbitMQ, PostgreSQL and sinks of their own, the worker and a raw pipeline on the same libraries. Tables at the end.
#
#   benches/run.sh [OPTIONS]            the whole way; see benches/run.sh --help
#   benches/run.sh soak [OPTIONS]       a worker's memory at a steady rate
#   benches/run.sh micro [FILTER]       the steps of an event one by one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${1-}" = micro ]; then
    shift
    exec cargo bench --locked --bench micro -- "$@"
fi
exec cargo bench --locked --bench whole_way -- "$@"
