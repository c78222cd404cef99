#!/bin/sh
# Runs docker-compose.yml unchanged: two workers, the client's demo, one worker killed in the middle.
#
#   sh tests/compose/run.sh
#
# Where there is no Docker engine one is started (root); where the images cannot be pulled, stand-ins of the same names
# are built from Debian's packages. Ends with `N passed, N failed`; what cannot be done here is a failure with its reason.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
project=umbeltest$$
passed=0
failed=0
engine=
untouched=
work=$(mktemp -d)

say() { echo "compose: $*"; }
good() { passed=$((passed + 1)); say "ok: $*"; }
bad() { failed=$((failed + 1)); say "FAILED: $*"; }
compose() { docker-compose -p "$project" --env-file "$work/env" "$@"; }

# What an engine of our own leaves behind: mounts, its bridge and its rules. Only what was not there before is removed.
stop_engine() {
    kill "$engine" 2>/dev/null || :
    wait "$engine" 2>/dev/null || :
    awk -v at="$work/" 'index($2, at) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do umount -l "$mount" || :; done
    [ -n "$untouched" ] || return 0
    ip link delete docker0 2>/dev/null || :
    for table in filter nat; do
        iptables-save -t $table >"$work/rules"
        sed -n '/DOCKER\|docker0/s/^-A/-D/p' "$work/rules" | while read -r rule; do
            # shellcheck disable=SC2086 # one word per argument
            iptables -t $table $rule || :
        done
        sed -n 's/^:\(DOCKER[^ ]*\) .*/\1/p' "$work/rules" | while read -r chain; do iptables -t $table -F "$chain" || :; done
        sed -n 's/^:\(DOCKER[^ ]*\) .*/\1/p' "$work/rules" | while read -r chain; do iptables -t $table -X "$chain" || :; done
    done
    iptables -P FORWARD "$forward_policy"
    echo "$ip_forward" >/proc/sys/net/ipv4/ip_forward
}

finish() {
    code=$?
    trap '' INT TERM
    if [ -s "$work/env" ] && docker info >/dev/null 2>&1; then
        compose logs --no-color >"$work/logs" 2>&1 || :
        [ "$failed" = 0 ] && [ $code = 0 ] || tail -n 80 "$work/logs"
        compose down -v --remove-orphans >/dev/null 2>&1 || :
    fi
    [ -z "$engine" ] || stop_engine
    rm -rf "$work"
    [ $code = 0 ] || [ "$failed" != 0 ] || failed=1
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_engine() {
    docker info >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] || { bad "no Docker engine runs, and starting one needs root"; exit 1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends docker.io docker-compose debootstrap iptables iproute2 \
        >"$work/apt" 2>&1 </dev/null || { cat "$work/apt"; bad "docker.io cannot be installed"; exit 1; }
    ip link show docker0 >/dev/null 2>&1 || iptables-save | grep -q DOCKER || untouched=yes
    forward_policy=$(iptables -S FORWARD | sed -n 's/^-P FORWARD //p')
    ip_forward=$(cat /proc/sys/net/ipv4/ip_forward)
    dockerd --data-root "$work/docker" --exec-root "$work/exec" -p "$work/pid" >"$work/dockerd" 2>&1 </dev/null &
    engine=$!
    tries=0
    until docker info >/dev/null 2>&1; do
        tries=$((tries + 1))
        kill -0 $engine 2>/dev/null && [ $tries -lt 120 ] || { tail -n 20 "$work/dockerd"; bad "dockerd does not start"; exit 1; }
        sleep 0.5
    done
    say "a Docker engine of our own runs"
}

# Where nothing can be pulled: Debian itself, and Debian's servers behind the two images' names.
base_image() {
    docker image inspect debian:bookworm-slim >/dev/null 2>&1 && return
    timeout 20 docker pull -q debian:bookworm-slim >/dev/null 2>&1 && return
    say "making debian:bookworm-slim (nothing can be pulled)"
    mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) bookworm .*/\2/p; s/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list \
        /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
    debootstrap --variant=minbase bookworm "$work/base" "$mirror" >"$work/debootstrap" 2>&1 ||
        { tail "$work/debootstrap"; bad "debootstrap failed"; exit 1; }
    cp -r /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d "$work/base/etc/apt/" 2>/dev/null || :
    tar -C "$work/base" -c . | docker import - debian:bookworm-slim >/dev/null
    rm -rf "$work/base"
}

server_image() { # NAME FOLDER
    docker image inspect "$1" >/dev/null 2>&1 && return
    timeout 20 docker pull -q "$1" >/dev/null 2>&1 && return
    say "building a stand-in for $1"
    docker build -q -t "$1" "tests/compose/$2" >"$work/build" 2>&1 </dev/null || { cat "$work/build"; bad "$1"; exit 1; }
}

start_engine
base_image
server_image rabbitmq:3.13 rabbitmq
server_image redis:7.2 redis

if env -u RABBITMQ_PASSWORD -u RABBITMQ_USER docker-compose -p "$project" --env-file /dev/null config >/dev/null 2>&1; then
    bad "the file is accepted without passwords"
else
    good "without passwords the file is refused"
fi
printf 'RABBITMQ_USER=umbel\nRABBITMQ_PASSWORD=%s\nREDIS_PASSWORD=%s\n' "$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')" \
    "$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')" >"$work/env"

say "docker-compose up --build --scale worker=2"
up() { compose up -d --build --scale worker=2 "$@" >"$work/up" 2>&1 </dev/null || { tail -n 40 "$work/up"; bad "docker-compose up"; exit 1; }; }
ready_workers() { compose logs --no-color worker 2>/dev/null | grep -c '\bready\b' || :; }
up rabbitmq redis worker
megabytes() { docker image inspect -f '{{.Size}}' "$1" | awk '{ printf "%.0f MB", $1 / 1e6 }'; }
say "the image is $(megabytes umbel), $(megabytes debian:bookworm-slim) of it Debian's base"
wait_until() { # SECONDS COMMAND
    tries=$(($1 * 5))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.2
    done
}
two_ready() { [ "$(ready_workers)" -ge 2 ]; }
wait_until 60 two_ready && good "broker, backend and two workers are up" || { bad "two workers are not ready"; exit 1; }
healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' $(compose ps -q) | sort | uniq -c | tr -s ' ')" = ' 4 healthy' ]; }
wait_until 60 healthy && good "all four are healthy" || bad "not all four are healthy"
user=$(docker exec "$(compose ps -q worker | head -n 1)" id -un)
[ "$user" = umbel ] && good "the worker runs as a user of its own" || bad "the worker runs as $user"

# The demo is over in a second. One worker is halted before it begins: what is delivered to it waits there, so the demo
# cannot end before that worker has died and its tasks have gone to the other one.
victim=$(compose ps -q worker | head -n 1)
docker kill -s STOP "$victim" >/dev/null
up
client=$(compose ps -q client)
begun() { compose logs --no-color worker 2>/dev/null | grep -q 'succeeded in'; }
wait_until 60 begun || bad "the client does not begin"
sleep 3 # all that the other worker can do is done by then
[ "$(docker inspect -f '{{.State.Running}}' "$client")" = true ] && good "the client waits for the halted worker's tasks" ||
    bad "the demo ended before a worker was killed"
docker kill "$victim" >/dev/null && good "one worker container was killed in the middle"
code=$(timeout 180 docker wait "$client" || echo none)
docker logs "$client" >"$work/client" 2>&1
tail -n 25 "$work/client"
[ "$code" = 0 ] && good "the client's demo completed" || bad "the client ended with $code"
compose logs --no-color >"$work/logs" 2>&1 || :
secret=$(sed -n 's/^RABBITMQ_PASSWORD=//p' "$work/env")
grep -q "$secret" "$work/logs" && bad "a password is in the logs" || good "no password is in the logs"
