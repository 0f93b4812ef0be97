# Sourced by the scripts: makes sure that what a test step needs is here. `need STEP...` installs Debian's packages
# where it can, and else prints exactly what is missing. Goes with kernel.sh.

# command:package of Debian and Ubuntu, by step
needs_of() {
  case $1 in
    fmt | clippy | unit | conformance | lan | fuzz | tree) echo cc:gcc ;;
    namespaces) echo cc:gcc ip:iproute2 bridge:iproute2 curl:curl setpriv:util-linux keepalived:keepalived nft:nftables busybox:busybox-static ;;
    checks) echo cc:gcc ip:iproute2 ss:iproute2 setpriv:util-linux curl:curl nft:nftables socat:socat openssl:openssl nginx:nginx-light
            exim4:exim4-daemon-light dnsmasq:dnsmasq-base ;;
    protocol) echo cc:gcc ip:iproute2 python3:python3 pip3:python3-pip socat:socat jq:jq ;;
    vm) echo cc:gcc ip:iproute2 bridge:iproute2 curl:curl setpriv:util-linux ipvsadm:ipvsadm python3:python3
        has_ipvs || needs_of machine ;;
    demo) echo cc:gcc flock:util-linux ip:iproute2 curl:curl busybox:busybox-static ipvsadm:ipvsadm python3:python3 ;;
    systemd) echo cc:gcc ip:iproute2 dbus-daemon:dbus nft:nftables ipvsadm:ipvsadm systemd-analyze:systemd; needs_of machine ;;
    machine) echo qemu-system-x86_64:qemu-system-x86 busybox:busybox-static modprobe:kmod cpio:cpio ;;
  esac
}

need() {
  local missing=()
  need_packages "$@"
  need_rust "$@"
  if needs_root "$@" && [[ $(id -u) != 0 ]]; then
    missing+=("root, for network namespaces (without: scripts/test fmt clippy unit conformance lan fuzz tree)")
  fi
  ((${#missing[@]})) || return 0
  printf 'missing: %s\n' "${missing[@]}" >&2
  return 1
}

# What follows adds to the caller's `missing`.
need_packages() {
  local packages=() entry step
  for step in "$@"; do
    for entry in $(needs_of "$step"); do
      command -v "${entry%%:*}" >/dev/null && continue
      missing+=("${entry%%:*} (package ${entry##*:})") packages+=("${entry##*:}")
    done
  done
  if ((${#packages[@]})) && [[ $(id -u) = 0 && -f /etc/debian_version ]]; then
    echo "installing ${packages[*]}"
    install_packages "${packages[@]}" >/dev/null
    missing=()
    for entry in "${packages[@]}"; do
      [[ $(dpkg-query -W -f '${db:Status-Status}' "$entry" 2>/dev/null) = installed ]] || missing+=("package $entry")
    done
  fi
}

# No server that comes with them is started, and none that is here already (such as another mail server) goes for them.
install_packages() (
  local policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  fi
  apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove "$@"
)

need_rust() {
  [[ $* != machine ]] || return 0
  local rust; rust=$(rustc --version 2>/dev/null | awk '{ split($2, v, "."); print v[1] * 1000 + v[2] }')
  if ((${rust:-0} < 1089)) || ! command -v cargo >/dev/null; then
    missing+=("Rust 1.89 or later (https://rustup.rs)")
  else
    [[ " $* " != *" fmt "* ]] || cargo fmt --version >/dev/null 2>&1 || missing+=("rustup component add rustfmt")
    [[ " $* " != *" clippy "* ]] || cargo clippy --version >/dev/null 2>&1 || missing+=("rustup component add clippy")
  fi
}

# In the virtual machine everybody is root.
needs_root() {
  local step
  for step in "$@"; do
    case $step in
      namespaces | checks | protocol | demo) return 0 ;;
      vm) ! has_ipvs || return 0 ;;
    esac
  done
  return 1
}
