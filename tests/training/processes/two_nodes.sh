#!/usr/bin/env bash
# Train over two machines that are simulated by two network namespaces, each with a network card of its own
# (10.77.0.1 and 10.77.0.2) and a wire between them.
#
#   two_nodes.sh OPTIONS…       the options of `kaoiro train`
#
# PYTHON names the interpreter (default: python). Exit code 77: skipped, the reason is on stdout.
set -euo pipefail

python=${PYTHON:-python}
first=kaoiro-$$-a
second=kaoiro-$$-b

skip() {
    echo "skipped: $*"
    exit 77
}

clean_up() {
    kill $(jobs -p) 2>/dev/null || true
    wait
    # The wire goes with the namespaces.
    ip netns del "$first" 2>/dev/null || true
    ip netns del "$second" 2>/dev/null || true
}

[ "$(id -u)" = 0 ] || skip "network namespaces need root"
command -v ip >/dev/null || skip "there is no ip command (iproute2)"
trap clean_up EXIT
ip netns add "$first" 2>/dev/null && ip netns add "$second" 2>/dev/null || skip "this kernel or container has no network namespaces"
ip link add name ka$$ netns "$first" type veth peer name kb$$ netns "$second" 2>/dev/null ||
    skip "this kernel or container has no veth pairs"
ip -n "$first" addr add 10.77.0.1/24 dev ka$$
ip -n "$second" addr add 10.77.0.2/24 dev kb$$
for end in "$first:ka$$" "$second:kb$$"; do
    ip -n "${end%%:*}" link set lo up
    ip -n "${end%%:*}" link set "${end##*:}" up
done

# start NAMESPACE CARD ADDRESS RANK OPTIONS…
start() {
    local namespace=$1 card=$2 address=$3 rank=$4
    shift 4
    exec ip netns exec "$namespace" env GLOO_SOCKET_IFNAME="$card" "$python" -m torch.distributed.run \
        --nnodes=2 --nproc-per-node=1 --node-rank="$rank" --master-addr=10.77.0.1 --master-port=29500 \
        --local-addr="$address" -m kaoiro train "$@"
}

start "$first" ka$$ 10.77.0.1 0 "$@" &
one=$!
start "$second" kb$$ 10.77.0.2 1 "$@" &
other=$!
wait "$one"
wait "$other"
ip -n "$first" -s link show ka$$ | awk '/RX:/ { getline; print "bytes over the wire to the first machine: " $1 }'
