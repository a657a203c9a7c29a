#!/bin/bash
# SPDX-License-Identifier: MIT
# Brings a kernel of a series into a folder, without installing it: 5.15, the oldest that is
# promised, from Ubuntu 22.04's first release, any other as Debian's cloud kernel. Prints the path
# of its vmlinuz; exit 77 if it is not to be had on this machine.
# usage: kernel.sh FOLDER SERIES
set -u
folder=$1 series=$2
ubuntu=http://archive.ubuntu.com/ubuntu/pool/main/l/linux-signed
ubuntu_deb=linux-image-5.15.0-25-generic_5.15.0-25.25_amd64.deb
ubuntu_sha256=ad56f8c442a54d4f5ff2dff010d00321d53e32b543f3a92f3ba4e042d20a71da

vmlinuz() {
	find . -path "*/boot/vmlinuz-$series.*" | sort -V | tail -n 1
}

debian_package() {
	apt-cache pkgnames "linux-image-$series." | grep -E -- '-cloud-amd64$' | sort -V | tail -n 1
}

fetch_debian() {
	local package
	package=$(debian_package)
	[ -n "$package" ] || {
		apt-get -qq update >/dev/null 2>&1
		package=$(debian_package)
	}
	[ -n "$package" ] || return 1
	apt-get -qq -o APT::Sandbox::User=root download "$package" >&2
}

fetch_ubuntu() { # its signing keys are not on a Debian machine: the hash of the package is here
	/usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$ubuntu/$ubuntu_deb" \
		"$ubuntu_deb" "SHA256:$ubuntu_sha256" >&2
}

mkdir -p "$folder" && cd "$folder" || exit 1
if [ -z "$(vmlinuz)" ]; then
	case $series in
	5.15) fetch_ubuntu ;;
	*) fetch_debian ;;
	esac || {
		echo "no kernel $series to be had here" >&2
		exit 77
	}
	dpkg-deb -x linux-image-"$series".*.deb unpacked || exit 1
	rm -f linux-image-"$series".*.deb
fi
[ -n "$(vmlinuz)" ] && realpath "$(vmlinuz)"
