#!/usr/bin/env bash
# The tests.
#
#   tests/run.sh quick             without servers, about two minutes
#   tests/run.sh [all] [FILTER]    everything; the rest of the arguments goes to the end-to-end tests
#   tests/run.sh monitoring        Prometheus' rules before promtool, with their cases; a part of all
#   tests/run.sh contract          `shirase asyncapi` before AsyncAPI's own parser; a part of all
#   tests/run.sh deploy            systemd unit, Kubernetes manifests and Dockerfile before tools that read them; a part of all
#   tests/run.sh chaos [--minutes N] [--seed S]
#                                  random faults, drawn from a seed, on two workers, a broker of three nodes, PostgreSQL, and
#                                  gateways that misbehave; ten minutes unless told otherwise; a table at the end
#
# The end-to-end tests start RabbitMQ, PostgreSQL, Postfix and Prometheus of their own, on free ports of loopback. A Chromium opens
# the pages. They, SASL's password tool, openssl and a DKIM verifier are Debian packages, installed where that is possible; their system
# services are not started.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

show() {
    printf '\n==> %s\n' "$*"
    "$@"
}

missing_packages() {
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || echo rabbitmq-server
    [ -x /usr/lib/postfix/sbin/master ] || echo postfix
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || echo postgresql
    [ -x /usr/sbin/saslpasswd2 ] || echo sasl2-bin
    compgen -G '/usr/lib/*/sasl2/libplain.so' >/dev/null || echo libsasl2-modules
    /usr/bin/python3 -c 'import dkim' 2>/dev/null || echo python3-dkim
    command -v promtool >/dev/null && command -v prometheus >/dev/null || echo prometheus
    command -v openssl >/dev/null || echo openssl
    command -v systemd-analyze >/dev/null || echo systemd
    /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    command -v chromium >/dev/null || echo chromium
    command -v chromedriver >/dev/null || echo chromium-driver
    compgen -G '/usr/share/fonts/opentype/noto/NotoSansCJK-*' >/dev/null || echo fonts-noto-cjk
}

# Prints what to put before a command to run it as root; fails where nobody is asked for a password.
as_root() {
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo --non-interactive true 2>/dev/null && echo sudo; }
}

install_servers() {
    local missing root
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null || ! root=$(as_root); then
        printf 'The end-to-end tests need %s. As root:\n' "${missing[*]}" >&2
        printf '  apt-get install -y --no-install-recommends %s\n' "${missing[*]}" >&2
        exit 2
    fi
    printf '\n==> installing %s\n' "${missing[*]}"
    # shellcheck disable=SC2086 # $root is one word or none
    $root sh -c "$INSTALL" install "${missing[@]}" </dev/null
}

# Debian starts the services of what it installs unless policy-rc.d says no. What runs already goes on.
# shellcheck disable=SC2016 # that shell is to expand it, not this one
INSTALL='
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap "rm -f $policy" EXIT
    trap "exit 130" HUP INT TERM
    printf "#!/bin/sh\nexit 101\n" >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
# A fresh container has no lists; stale ones are no reason to stop.
apt-get update -q || true
apt-get install -y --no-install-recommends "$@"'

quick() {
    show cargo test --locked --lib --bins --test quick
}

# AsyncAPI's own parser on the contract for upstream. It is JavaScript: without Node.js, or without the way to its packages,
# nothing is known.
contract() {
    local dir=target/asyncapi
    mkdir -p "$dir"
    cp tests/asyncapi/* "$dir"
    if ! command -v npm >/dev/null ||
        ! timeout 300 npm ci --prefix "$dir" --ignore-scripts --no-fund --no-audit --loglevel=error; then
        printf '\n!!! CONTRACT NOT CHECKED by @asyncapi/parser: it takes Node.js with npm and the way to its packages\n'
        return
    fi
    printf '\n==> shirase asyncapi | @asyncapi/parser\n'
    cargo run --locked --quiet -- asyncapi | node "$dir/check.mjs"
}

all() {
    install_servers
    quick
    # Postfix starts as root only.
    show cargo test --locked --test e2e -- --test-threads=2 "$@"
    show cargo test --locked --doc
    monitoring
    contract
    deploy
}

# The rules as Prometheus reads them, and for every alert a case that fires and one that stays silent.
monitoring() {
    install_servers
    show promtool check config config/prometheus/prometheus.yml
    show promtool test rules tests/prometheus/*.yml
}

# What is deployed, before tools that read it as its target does. No image is built and no cluster asked.
deploy() {
    install_servers
    systemd_unit
    if ! deploy_tools; then
        printf '\n!!! MANIFESTS AND DOCKERFILE NOT CHECKED: their tools take Python and the way to its packages\n'
        return
    fi
    manifests
    show target/deploy/bin/hadolint Dockerfile
}

# systemd only warns of a key that it does not know; here whatever it says is an error. The worker need not be installed.
systemd_unit() {
    local unit said
    mkdir -p target
    unit=$(mktemp -d -p target)/shirase.service
    sed 's|^ExecStart=/usr/local/bin/shirase |ExecStart=/bin/true |' deploy/systemd/shirase.service >"$unit"
    printf '\n==> systemd-analyze verify deploy/systemd/shirase.service\n'
    said=$(systemd-analyze verify "$unit" 2>&1) || said="$said (failed)"
    rm -r "$(dirname "$unit")"
    [ -z "$said" ] || { printf '%s\n' "$said" >&2; return 1; }
    # Tenths of its exposure level: more than it is today is an error.
    show systemd-analyze security --offline=true --no-pager --threshold=11 deploy/systemd/shirase.service
}

# Packages of Python beside the project, made anew when others are asked for.
deploy_tools() {
    local venv=target/deploy wanted=tests/deploy/requirements.txt
    cmp -s "$wanted" "$venv/installed.txt" && return
    /usr/bin/python3 -m venv --clear "$venv" &&
        timeout 600 "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" &&
        cp "$wanted" "$venv/installed.txt"
}

manifests() {
    local all=target/deploy/all.yaml
    if command -v kubectl >/dev/null; then
        printf '\n==> kubectl kustomize deploy/kubernetes\n'
        kubectl kustomize deploy/kubernetes >"$all"
    else
        printf '\n!!! KUSTOMIZATION NOT CHECKED: it takes kubectl; the manifests are looked at as they stand\n'
        # shellcheck disable=SC2016 # the last line of each, in sed's words
        find deploy/kubernetes -name '*.yaml' ! -name kustomization.yaml ! -name '*.example.yaml' -print0 |
            sort -z | xargs -0 sed -s '$a---' >"$all"
    fi
    show target/deploy/bin/python tests/deploy/manifests.py "$all" deploy/kubernetes/secret.example.yaml
}

chaos() {
    install_servers
    case " $* " in *" --minutes "*) ;; *) set -- --minutes 10 "$@" ;; esac
    show cargo test --locked --test chaos -- "$@"
}

case ${1-all} in
    quick) shift; [ $# = 0 ] || { echo "quick takes no arguments: $*" >&2; exit 2; }; quick ;;
    contract) contract ;;
    monitoring) monitoring ;;
    deploy) deploy ;;
    chaos) shift; chaos "$@" ;;
    all) shift || true; all "$@" ;;
    -h | --help) sed -n '2,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
    *) all "$@" ;;
esac
