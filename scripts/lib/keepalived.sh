# Sourced by scripts/test. The keepalived of Debian 12 (2.2.7) does not know `v3_checksum_as_v2`, the checksum form of
# RFC 9568; that of Debian 13 does. Where the host's does not, the labs that need it run with Debian 13's, unpacked with
# its libraries under target/, not installed. Where that cannot be had, they are skipped and say so.

# True if this keepalived can be told to send either form.
knows_both_forms() {
  local conf said; conf=$(mktemp)
  printf '%s\n' 'vrrp_instance A {' 'interface lo' 'virtual_router_id 1' 'version 3' v3_checksum_as_v2 \
    'virtual_ipaddress {' 192.0.2.1/32 '}' '}' >"$conf"
  said=$("$1" --config-test -f "$conf" 2>&1); rm -f "$conf"
  [[ $said != *v3_checksum_as_v2* ]]
}

# Prints the folder of one that does, for PATH.
newer_keepalived() {
  local home=$PWD/target/keepalived
  if [[ ! -x $home/bin/keepalived ]]; then
    echo "fetching the keepalived of Debian 13, for the labs only" >&2
    mkdir -p target
    fetch_keepalived "$home" >"$home.log" 2>&1 || { echo "not to be had, see $home.log" >&2; return 1; }
  fi
  echo "$home/bin"
}

# From the mirror that this host uses, with its keys, but with lists and archives of their own.
fetch_keepalived() {
  local home=$1 mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | head -n 1)
  [[ -n $mirror && -f $keys ]] || return 1
  rm -rf "$home"
  mkdir -p "$home"/apt/{lists,archives}/partial "$home"/{root,bin}
  : >"$home/apt/status"
  echo "deb [signed-by=$keys] $mirror trixie main" >"$home/apt/sources.list"
  local apt=(apt-get -o Dir::Etc::sourcelist="$home/apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State="$home/apt"
    -o Dir::State::lists="$home/apt/lists" -o Dir::State::status="$home/apt/status" -o Dir::Cache::archives="$home/apt/archives"
    -o Dir::Etc::preferencesparts=- -o APT::Sandbox::User=root -o APT::Install-Recommends=false)
  "${apt[@]}" update && "${apt[@]}" install -y --download-only keepalived || return 1
  local deb libraries loader
  for deb in "$home"/apt/archives/*.deb; do dpkg -x "$deb" "$home/root" || return 1; done
  rm -rf "$home/apt"
  libraries=$(cd "$home/root" && echo usr/lib/*-linux-gnu*) loader=$(cd "$home/root" && ls usr/lib*/ld-linux* | head -n 1)
  # Its loader and libraries are its own: the host's are older. It insists on a file in /etc/keepalived.
  cat >"$home/keepalived" <<SH
#!/bin/sh
exec unshare -m sh -c 'mount --bind "\$0/etc/keepalived" /etc/keepalived &&
  exec "\$0/$loader" --library-path "\$0/$libraries" "\$0/usr/sbin/keepalived" "\$@"' \
  "$home/root" "\$@"
SH
  chmod +x "$home/keepalived"
  # In its place only when it works: the next run looks there.
  "$home/keepalived" --version && mv "$home/keepalived" "$home/bin/keepalived"
}
