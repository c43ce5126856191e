#!/bin/sh
# Make the secrets of compose.yaml, once, in a directory that only its owner may enter; what is there stays.
# The files themselves can be read: each container runs as a user of its own and sees no other file of the directory.
set -eu
directory="$(dirname "$0")/secrets"
if [ -e "$directory" ]; then
    echo "$directory is there already: remove it to make new secrets, which the database does not know then" >&2
    exit 2
fi
umask 077
unfinished="$directory.new"
rm -rf "$unfinished"
mkdir "$unfinished"
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
postgres="$(random)"
valkey="$(random)"
printf '%s' "$postgres" > "$unfinished/postgres-password"
printf 'requirepass %s\nsave ""\nappendonly no\ndir /data\nmaxmemory-policy noeviction\n' "$valkey" > "$unfinished/valkey.conf"
printf 'database-url = "postgresql://kms:%s@postgres/kms"\nquota-url = "redis://:%s@valkey:6379/0"\n' \
    "$postgres" "$valkey" > "$unfinished/kms-server.toml"
chmod 444 "$unfinished"/*
mv "$unfinished" "$directory"
echo "made $directory"
