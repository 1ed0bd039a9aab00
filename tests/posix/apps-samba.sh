#!/bin/bash
# A share of Samba on a volume: put, get, rename, delete, a deep tree, two clients.
. "${srcdir:-.}/tests/posix/lib.sh"
need_mounts
skip_without smbd smbclient

open_volume v
mnt=$scratch/v/mnt
port=$((20000 + $$ % 20000))
mkdir -m 755 "$scratch/samba"
for name in private lock state cache pid ncalrpc log; do
	mkdir -m 755 "$scratch/samba/$name"
done
cat >"$scratch/samba/conf" <<END
[global]
server role = standalone server
interfaces = lo
bind interfaces only = yes
smb ports = $port
disable netbios = yes
map to guest = Bad User
guest account = nobody
load printers = no
printcap name = /dev/null
# By read(2): the trail then has what the client read, not what was read ahead.
use sendfile = no
private dir = $scratch/samba/private
lock directory = $scratch/samba/lock
state directory = $scratch/samba/state
cache directory = $scratch/samba/cache
pid directory = $scratch/samba/pid
ncalrpc dir = $scratch/samba/ncalrpc
log file = $scratch/samba/log/smbd
[records]
path = $mnt/share
guest ok = yes
read only = no
END

client() { # COMMANDS...
	smbclient -s "$scratch/samba/conf" -N -p "$port" //127.0.0.1/records -c "$*" >"$scratch/client" 2>&1
}
answers() { client ls; }
end_samba() {
	[ -z "${samba:-}" ] || kill -TERM "$samba" 2>/dev/null
	[ -z "${samba:-}" ] || until_true 10 has_ended "$samba" || kill -KILL "$samba"
}

mkdir -m 777 "$mnt/share"
# In a process group of its own: when it ends it ends its group, this test included.
setsid smbd -F --no-process-group -s "$scratch/samba/conf" -l "$scratch/samba/log" -p "$port" \
	>"$scratch/samba/out" 2>&1 &
samba=$!
at_end end_samba
if ! until_true 15 answers; then
	sed 's/^/# /' "$scratch/client" "$scratch/samba/out"
	echo "1..0 # SKIP smbd does not answer here"
	exit 0
fi

head -c 5000000 /dev/urandom >"$scratch/large"
echo small >"$scratch/small"
cd "$scratch" || exit 1
put_and_get() { # NAME
	client "put large $1; put small; get $1 back; rename small $1-renamed" &&
		cmp large back && cmp large "$mnt/share/$1" && cmp small "$mnt/share/$1-renamed"
}
tree() {
	client "mkdir a; mkdir a\\b; cd a\\b; put large; put small; ls" &&
		cmp large "$mnt/share/a/b/large" && client "del a\\b\\*; rmdir a\\b; rmdir a" && [ ! -e "$mnt/share/a" ]
}
replace() {
	client "put large document; put small new; rename new document -f" || client "del document; rename new document"
	cmp small "$mnt/share/document"
}
two_clients() {
	for i in 1 2; do
		smbclient -s "$scratch/samba/conf" -N -p "$port" //127.0.0.1/records \
			-c "put large large$i; get large$i back$i" >"$scratch/client$i" 2>&1 &
		eval "client$i=\$!"
	done
	wait "$client1" && wait "$client2" && cmp large back1 && cmp large back2
}
names() {
	printf x >"Grüße und   Blanks.txt"
	client 'put "Grüße und   Blanks.txt"' && [ -s "$mnt/share/Grüße und   Blanks.txt" ] &&
		client 'get "grüße UND   blanks.TXT" back' && cmp back "Grüße und   Blanks.txt"
}
passes "put, get, rename" put_and_get large
passes "a tree is made and removed" tree
passes "a file is replaced" replace
passes "two clients at once" two_clients
LC_ALL=C.UTF-8 passes "names with blanks and umlauts, in any case" names
lock_volume v --now
refused "nothing is given away while the volume is locked" client "get large locked.back"
unlock_volume v
passes "and it goes on after the unlock" put_and_get later
done_testing
