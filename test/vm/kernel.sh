#!/bin/bash
# SPDX-License-Identifier: MIT
# Brings Debian's cloud kernel of a series (6.1 by default) into a folder, without installing it:
# the package is downloaded and unpacked. Prints the path of its vmlinuz; exit 77 if it is not to be
# had on this machine.
# usage: kernel.sh FOLDER [SERIES]
set -u
folder=$1 series=${2:-6.1}
mkdir -p "$folder" && cd "$folder" || exit 1
have=$(find . -path "*/boot/vmlinuz-$series.*" | sort -V | tail -n 1)
if [ -z "$have" ]; then
	package=$(apt-cache pkgnames "linux-image-$series." | grep -E -- '-cloud-amd64$' | sort -V |
		tail -n 1)
	if [ -z "$package" ]; then
		apt-get -qq update >/dev/null 2>&1
		package=$(apt-cache pkgnames "linux-image-$series." | grep -E -- '-cloud-amd64$' |
			sort -V | tail -n 1)
	fi
	[ -n "$package" ] || {
		echo "no package linux-image-$series.*-cloud-amd64 here" >&2
		exit 77
	}
	apt-get -qq -o APT::Sandbox::User=root download "$package" >&2 || exit 77
	dpkg-deb -x "$package"_*.deb unpacked || exit 1
	rm -f "$package"_*.deb
	have=$(find . -path "*/boot/vmlinuz-$series.*" | sort -V | tail -n 1)
fi
[ -n "$have" ] && realpath "$have"
