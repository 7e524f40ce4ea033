"""The scenarios of a run: which servers they are for, and what the load generator does."""

# Name: (kind of the servers, options of the load generator). cNwM is N clients with M requests in flight each.
SCENARIOS = {
    "echo-32-c1w1": ("echo", "--size 32 --clients 1 --window 1"),
    "echo-32-c1w16": ("echo", "--size 32 --clients 1 --window 16"),
    "echo-32-c64w1": ("echo", "--size 32 --clients 64 --window 1"),
    "echo-32-c64w16": ("echo", "--size 32 --clients 64 --window 16"),
    "echo-32-c64w16-sockets": ("echo", "--size 32 --clients 64 --window 16 --sockets"),
    "echo-32-c1024w1": ("echo", "--size 32 --clients 1024 --window 1"),
    "echo-32-c1024w4": ("echo", "--size 32 --clients 1024 --window 4"),
    "echo-1k-c1w16": ("echo", "--size 1024 --clients 1 --window 16"),
    "echo-1k-c64w16": ("echo", "--size 1024 --clients 64 --window 16"),
    "echo-1k-c1024w1": ("echo", "--size 1024 --clients 1024 --window 1"),
    "echo-8k-c1w1": ("echo", "--size 8192 --clients 1 --window 1"),
    "echo-8k-c64w1": ("echo", "--size 8192 --clients 64 --window 1"),
    "echo-32-c64w16-gso": ("echo", "--size 32 --clients 64 --window 16 --gso"),
    "echo-1k-c64w16-gso": ("echo", "--size 1024 --clients 64 --window 16 --gso"),
    "json-c1w1": ("json", "--json --clients 1 --window 1"),
    "json-c1w16": ("json", "--json --clients 1 --window 16"),
    "json-c64w16": ("json", "--json --clients 64 --window 16"),
    "json-c1024w1": ("json", "--json --clients 1024 --window 1"),
    "many-1": ("echo", "--size 32 --mode many --multi --clients 1 --window 256 --src-port 28999 --prime"),
    "many-1k": ("echo", "--size 32 --mode many --clients 1000 --window 256 --src-port 28999 --prime"),
    "many-100k": ("echo", "--size 32 --mode many --clients 100000 --window 256 --src-port 28999 --prime"),
    "many-1m": ("echo", "--size 32 --mode many --clients 1000000 --window 256 --src-port 28999 --prime"),
    "flood-20k": ("echo", "--size 32 --mode flood --clients 64 --multi --rate 20000"),
    "flood-200k": ("echo", "--size 32 --mode flood --clients 64 --multi --rate 200000"),
    "flood-1m": ("echo", "--size 32 --mode flood --clients 64 --multi --rate 1000000"),
}

# Those of the tables in docs/performance.md, in their order.
DEFAULT = [
    "echo-32-c64w16", "echo-32-c1024w1", "echo-1k-c64w16", "json-c64w16", "json-c1024w1", "echo-32-c64w16-gso",
    "echo-1k-c64w16-gso", "echo-32-c1w1",
]  # fmt: skip
