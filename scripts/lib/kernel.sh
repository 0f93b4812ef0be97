# Sourced by the scripts: whether the kernel that runs here has IPVS; and Debian's kernel, which has.

# True if IPVS works on this kernel, here.
has_ipvs() {
  modprobe -q ip_vs 2>/dev/null
  [[ -e /proc/net/ip_vs ]]
}

# Prints the folder, under the one given, of Debian's kernel and its modules: unpacked, not installed. Fetched when it is
# not there, and when Debian has a newer one.
debian_kernel() {
  local home=$1 package version kept fresh
  # Depends: linux-image-VERSION-amd64 (= VERSION)
  read -r package version < <(apt-cache show --no-all-versions linux-image-amd64 2>/dev/null |
    awk '$1 == "Depends:" { gsub(/[(=)]/, ""); print $2, $3; exit }')
  if [[ -z $version ]]; then
    # No package lists: what was fetched last will do.
    kept=$(find "$home" -maxdepth 1 -name 'linux-image-*' -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1)
    [[ -n $kept ]] || { echo "apt knows no package linux-image-amd64: is this Debian, and are its lists here (apt-get update)?" >&2; return 1; }
    echo "${kept#* }"
    return
  fi
  kept=$home/${package}_$version
  if [[ ! -d $kept ]]; then
    echo "fetching $package $version, for the virtual machine only" >&2
    mkdir -p "$home" && fresh=$(mktemp -d -p "$home") || return
    fetch_kernel "$fresh" "$package=$version" || { rm -rf "$fresh"; return 1; }
    # In its place only when it is whole. Another run may have been faster.
    mv -T "$fresh/root" "$kept" 2>/dev/null
    rm -rf "$fresh"
  fi
  echo "$kept"
}

fetch_kernel() { # FOLDER PACKAGE
  (cd "$1" && apt-get download -qq -o APT::Sandbox::User=root "$2") >&2 &&
    dpkg -x "$1"/*.deb "$1/root" && depmod -b "$1/root" "$(ls "$1/root/lib/modules")"
}
